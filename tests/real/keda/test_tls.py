"""KEDA's client speaks TLS with the gateway, and shows a certificate where the gateway wants one."""

import certificates
import pytest
from rounds import Round, Workers
from scalers import outcome, settled
from scaling import ScalingGateway


@pytest.fixture(scope="module")
def papers(folder):
    """Keys and certificates: `ca` signed `server` and `client`, `other-ca` signed nothing."""
    made = folder / "papers"
    made.mkdir()
    certificates.make(made, "keda")
    return made


@pytest.fixture(scope="module", params=["tls", "mtls"])
def gateway(request, backends, papers):
    """A gateway whose scaler speaks TLS, or also wants to see certificates."""
    tls = {"certificate": str(papers / "server.crt"), "key": str(papers / "server.key")}
    if request.param == "mtls":
        tls["clientCa"] = str(papers / "ca.crt")
    with ScalingGateway(backends, {"tls": tls}) as gateway:
        gateway.wants_papers = request.param == "mtls"
        yield gateway.known()


@pytest.fixture
def scaler(keda, gateway):
    """Makes clients for the gateway's trigger with what a TriggerAuthentication gives."""
    made = []

    def make(**auth):
        trigger = gateway.trigger("push")
        assert trigger["metadata"]["enableTLS"] == "true"
        made.append(keda.make(trigger, auth))
        return made[-1]

    yield make
    for each in made:
        each.close()


def who(papers):
    """KEDA's own certificate and key, as a TriggerAuthentication gives them."""
    return {"tlsClientCert": (papers / "client.crt").read_text(), "tlsClientKey": (papers / "client.key").read_text()}


def test_coldstart_push_by_tls(scaler, gateway, papers):
    """The whole way: specification, stream, values."""
    client = scaler(caCert=(papers / "ca.crt").read_text(), **who(papers)).run()
    assert not client.next_push(0).active
    statement = gateway.statement()
    assert client.next_push(1).active
    assert client.ask() == ([1.0], True)
    statement.cancel()
    settled(client.ask, ([0.0], False), "it is over")


def test_coldstart_what_is_printed_names_what_keda_must_show(gateway):
    """Beside the ScaledObject, where KEDA finds certificates: only what this gateway wants to see."""
    scaled, authentication = gateway.printed("push")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    named = {each["parameter"] for each in authentication["spec"]["secretTargetRef"]}
    assert named == {"caCert", "tlsClientCert", "tlsClientKey"} if gateway.wants_papers else named == {"caCert"}


def test_coldstart_the_operator_by_tls(cluster, gateway, papers):
    """The printed objects as they are, and the Secret that they name."""
    _, authentication = gateway.printed("push")
    references = authentication["spec"]["secretTargetRef"]
    files = {"ca.crt": "ca.crt", "tls.crt": "client.crt", "tls.key": "client.key"}
    texts = {each["key"]: (papers / files[each["key"]]).read_text() for each in references}
    with cluster.secret(references[0]["name"], texts), cluster.authentication(authentication), Workers(cluster, gateway) as workers:
        Round(workers, gateway).finish()


def test_coldstart_who_shows_nothing(scaler, gateway, papers):
    """Without a certificate KEDA is served only where none is wanted."""
    client = scaler(caCert=(papers / "ca.crt").read_text())
    if gateway.wants_papers:
        # In TLS 1.3 the client's handshake ends before the gateway looks at certificates: KEDA reads the alert, a reset or
        # a broken pipe, whichever comes first. What it must not get is an answer, or a 0.
        for _ in range(3):
            assert outcome(lambda: client.ask("s0-any")).startswith("rpc error: code = Unavailable")
        assert client.specs() == {}
    else:
        assert client.ask() == ([0.0], False)


def test_coldstart_who_trusts_another_does_not_speak(scaler, papers):
    """KEDA refuses a gateway that its authority did not sign; that is an error, never 0."""
    client = scaler(caCert=(papers / "other-ca.crt").read_text(), **who(papers))
    assert client.specs() == {}
    assert "certificate" in outcome(lambda: client.ask("s0-any"))
