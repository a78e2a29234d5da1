"""Who may come in: alice with a password, whoever bears a token that we signed; and the keys and certificates of it all.

Everything is made anew for each run, lasts a day or two and is known to nobody. Passwords and tokens are of the tests,
so they may be seen in a failed test's words; the gateway's own words are searched for them all the same.
"""

import hashlib
import json
import os
import shutil
import ssl
import tempfile
import time
from pathlib import Path

import certificates

USER = "alice"
PASSWORD = "a password of the tests"
WRONG = "another password"
# As many rounds as Trino demands at least.
ROUNDS = 1000


class Realm:
    """A folder with all of it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="realm-"))
        certificates.make(self.folder, USER)
        self.ca = self.folder / "ca.crt"
        self.context = ssl.create_default_context(cafile=self.ca)
        # Of a CA that signed none of the certificates here.
        self.other_ca = self.folder / "other-ca.crt"
        self.certificate, self.key = self.folder / "server.crt", self.folder / "server.key"
        # Trino and HAProxy want both in one file.
        self.pair = self.folder / "server.pem"
        self.pair.write_text(self.key.read_text() + self.certificate.read_text())
        self._write_passwords()
        certificates.openssl(self.folder, "pkey", "-in", "sa.key", "-pubout", "-out", "jwt.pub")

    def _write_passwords(self):
        salt = os.urandom(16)
        digest = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt, ROUNDS, 32)
        (self.folder / "passwords").write_text(f"{USER}:{ROUNDS}:{salt.hex()}:{digest.hex()}\n")
        properties = f"password-authenticator.name=file\nfile.password-file={self.folder / 'passwords'}\n"
        (self.folder / "passwords.properties").write_text(properties)
        (self.folder / "password").write_text(f"{PASSWORD}\n")

    def token(self, lasts=3600, key="sa.key"):
        """A JWT for alice that ends in so many seconds, signed with the key that Trino knows or another one."""
        now = int(time.time())
        claims = {"sub": USER, "iat": now - 7200, "exp": now + lasts}
        head, body = (certificates.encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        signature = certificates.openssl(self.folder, "dgst", "-sha256", "-sign", key, input=f"{head}.{body}".encode())
        return f"{head}.{body}.{certificates.encoded(signature)}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
