"""Keys and certificates for an API server of the tests, by openssl: valid for an hour or two, known to nobody."""

import base64
import json
import shutil
import subprocess

from cache import Missing
from debian import install

SERVER = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n"
CLIENT = "extendedKeyUsage=clientAuth\n"


def openssl(folder, *words, **more):
    """Runs openssl in a folder."""
    if not shutil.which("openssl") and not install("openssl"):
        raise Missing("the Kubernetes API server needs certificates (Debian: openssl): install it")
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words[0]} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def make(folder, user):
    """ca, other-ca (which signed nothing), server, client (for `user`) and sa, each as .key, all but sa as .crt."""
    for name in ("ca", "other-ca", "server", "client", "sa"):
        openssl(folder, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", f"{name}.key")
    for name in ("ca", "other-ca"):
        openssl(folder, "req", "-x509", "-key", f"{name}.key", "-subj", f"/CN={name} of the tests", "-days", "2", "-out", f"{name}.crt")
    sign(folder, "server", "/CN=kube-apiserver", SERVER)
    sign(folder, "client", f"/CN={user}", CLIENT)


def sign(folder, name, subject, extensions):
    """A certificate for a key, by the CA."""
    (folder / f"{name}.ext").write_text(extensions)
    openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", f"{name}.ext", "-out", f"{name}.crt",
    )


def expired(folder, token):
    """The same service account token, signed by the same key, that ended an hour ago."""
    head, claims, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    for claim in ("exp", "iat", "nbf"):
        claims[claim] -= 7200
    signed = f"{head}.{encoded(json.dumps(claims).encode())}".encode()
    signature = openssl(folder, "dgst", "-sha256", "-sign", "sa.key", input=signed)
    return f"{signed.decode()}.{encoded(signature)}"


def encoded(data):
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
