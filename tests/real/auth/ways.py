"""The ways to a Trino that asks who comes: directly over its own TLS, which is the reference, or through the gateway.

| way | TLS of clients ends at | the gateway's way to Trino |
| --- | --- | --- |
| `direct` | Trino | none |
| `fronted` | HAProxy, which says so in X-Forwarded-* | plain HTTP |
| `ended` | the gateway | plain HTTP |
| `both` | the gateway | TLS, to a Trino that believes no X-Forwarded-* |
| `rewritten` | the gateway | TLS, with the URIs made right by the gateway |
"""

from contextlib import contextmanager

from doors import settle
from front import Front
from gateway import Gateway
from secured import HOST

WAYS = ("direct", "fronted", "ended", "both", "rewritten")
# Not `rewritten`: with `uris: rewrite` Trino names itself to the provider, whose answer goes past the gateway.
BY_BROWSER = tuple(way for way in WAYS if way != "rewritten")


class Way:
    """An address that clients connect to."""

    def __init__(self, name, url, gateway=None):
        self.name, self.url, self.gateway = name, url, gateway
        self._counted_before = self._in_flight_before = 0

    def _samples(self, name):
        return self.gateway.samples(name) if self.gateway else 0

    def requests(self):
        """How many the gateway has seen since the beginning of the test."""
        return self._samples("gateway_requests_total") - self._counted_before

    def begin(self):
        """Notes how things are before a test."""
        self._counted_before = self._samples("gateway_requests_total")
        self._in_flight_before = self._samples("xtrinode_gateway_inflight_queries")

    def verify(self, refused=0):
        """Checks that nothing is left over after a test but so many that were refused when their turn had come: those
        wait for other credentials, which an OAuth2 client would bring."""
        in_flight = "xtrinode_gateway_inflight_queries"
        settle(lambda: self._samples(in_flight), lambda: self._in_flight_before + refused, "queries in flight")


@contextmanager
def opened(name, trino, realm, coordinators):
    """One of the ways to some coordinators, in a group of as many backends."""
    if name == "direct":
        yield Way(name, trino.https(coordinators[0]))
    elif name == "fronted":
        with fronted(realm, backends(trino.http, coordinators)) as way:
            yield way
    else:
        with ended(name, realm, behind(name, trino, realm, coordinators)) as way:
            yield way


@contextmanager
def fronted(realm, group_of, **more):
    """HAProxy before a gateway that believes it."""
    data = {"trustedProxies": ["127.0.0.1/32"]}
    with Gateway(group_of, data=data, **more) as gateway, Front(realm, gateway.port) as front:
        yield Way("fronted", f"https://{HOST}:{front.port}", gateway)


@contextmanager
def ended(name, realm, group_of, **more):
    """A gateway that ends TLS itself."""
    data = {"tls": {"certificate": str(realm.certificate), "key": str(realm.key)}}
    with Gateway(group_of, data=data, **more) as gateway:
        yield Way(name, f"https://{HOST}:{gateway.port}", gateway)


def behind(name, trino, realm, coordinators):
    """The backends of a gateway that ends TLS itself."""
    if name == "ended":
        return backends(trino.http, coordinators)
    uris = {"rewritten": "rewrite"}.get(name, "auto")
    return backends(trino.https, coordinators, uris=uris, tls={"ca": str(realm.ca)})


def backends(url_of, coordinators, **more):
    """The backends of the gateway's group."""
    return [{"name": name, "url": url_of(name), **more} for name in coordinators]
