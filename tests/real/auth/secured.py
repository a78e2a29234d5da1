"""Real Trinos that ask who comes: each on plain HTTP, for a proxy that ends TLS, and on HTTPS of its own."""

import json
import urllib.parse
from base64 import b64encode

import wire
from coordinators import FORWARDED, Coordinators
from realm import PASSWORD, USER

# The certificate is for this name too, and clients verify names.
HOST = "localhost"
# `believing` and `plain` want passwords or JWTs, and only the first believes X-Forwarded-*; the others want logins by browser.
NAMES = ("believing", "plain", "first", "second")
OAUTH2 = "http-server.authentication.oauth2"


def https(port, realm):
    """TLS at Trino."""
    return (
        "http-server.https.enabled=true", f"http-server.https.port={port}", f"http-server.https.keystore.path={realm.pair}",
    )


def passwords(realm):
    """A password of the file, or a JWT."""
    return (
        "http-server.authentication.type=PASSWORD,JWT",
        f"password-authenticator.config-files={realm.folder / 'passwords.properties'}",
        f"http-server.authentication.jwt.key-file={realm.folder / 'jwt.pub'}",
    )


def oauth2(issuer):
    """Logins at an identity provider. The provider's `/userinfo` believes everybody, so tokens are verified by its keys."""
    return (
        "http-server.authentication.type=OAUTH2", f"{OAUTH2}.issuer={issuer}", f"{OAUTH2}.client-id=trino-client",
        f"{OAUTH2}.client-secret=trino-secret", f"{OAUTH2}.oidc.use-userinfo-endpoint=false",
    )


class Secured(Coordinators):
    """One JVM with a coordinator for each name."""

    def __init__(self, realm, provider):
        self._https = dict(zip(NAMES, wire.free_ports(len(NAMES))))
        asking = [(*passwords(realm), FORWARDED), passwords(realm), *[(*oauth2(provider.issuer), FORWARDED)] * 2]
        super().__init__("483", [(*https(port, realm), *who) for port, who in zip(self._https.values(), asking)])
        self._realm, self._provider = realm, provider

    def http(self, name):
        """Its URL for a proxy that ends TLS."""
        return self.urls[NAMES.index(name)]

    def https(self, name):
        """Its own HTTPS."""
        return f"https://{HOST}:{self._https[name]}"

    def answers(self, url):
        """Whether that one gives a row to who may come in."""
        name = NAMES[self.urls.index(url)]
        try:
            headers = basic(USER, PASSWORD) if name in ("believing", "plain") else bearer(machine_token(self._provider))
            return wire.answers(self.https(name), headers, self._realm.context)
        except OSError:
            return False


def machine_token(provider):
    """A token as programs get one, without a browser."""
    form = {"Content-Type": "application/x-www-form-urlencoded", **basic("trino-client", "trino-secret")}
    body = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "openid"})
    return json.loads(wire.exchange("POST", f"{provider.issuer}/token", body, form)[2])["access_token"]


def basic(user, password):
    """The header of a password, and the user that the session is for."""
    return {"X-Trino-User": user, "Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def bearer(token):
    """The header of a token, likewise."""
    return {"X-Trino-User": USER, "Authorization": f"Bearer {token}"}
