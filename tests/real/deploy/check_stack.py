"""The compose stack as files. No Docker engine is here, so nothing of it has been started by these checks.

The compose file is loaded as Docker loads it (compose-go), the Dockerfiles are linted (hadolint), and what the services' own files
say of each other (ports, names, labels, paths) is compared. For Loki, Alloy and Tempo no program can be had that would read their
configuration.
"""

import re
import shutil
import subprocess
import sys

import boards
import pytest
import yaml
from cache import REPOSITORY
from tools import hadolint, run

DEPLOY = boards.DEPLOY
CORE = {"sluice", "trino-a", "trino-b", "resumer"}
WATCHING = {"prometheus", "alertmanager", "loki", "alloy", "tempo", "grafana"}
# What the contract says is published where; 6060 is for drill and incident.
PORTS = {
    "sluice": {8080: 8080, 8081: 8081, 9190: 9090, 9191: 9091, 6060: 6060},
    "prometheus": {9090: 9090},
    "alertmanager": {9093: 9093},
    "loki": {3100: 3100},
    "alloy": {12345: 12345, 4317: 4317, 4318: 4318},
    "tempo": {3200: 3200},
    "grafana": {3001: 3000},
    "jaeger": {16686: 16686},
}
IMAGES = {
    "trino-a": "trinodb/trino:483", "trino-b": "trinodb/trino:483", "prometheus": "prom/prometheus:v3.1.0",
    "alertmanager": "prom/alertmanager:v0.27.0", "loki": "grafana/loki:3.2.1", "alloy": "grafana/alloy:v1.5.1",
    "tempo": "grafana/tempo:2.7.1", "grafana": "grafana/grafana:11.3.1", "jaeger": "jaegertracing/all-in-one:1.55",
}
ALLOY = (DEPLOY / "alloy/config.alloy").read_text()


@pytest.fixture(scope="module")
def everything(compose):
    """All services, whatever their profile."""
    return compose("observability", "all", "loadtest", "jaeger")["services"]


def test_obs_S1_the_services_of_each_profile(compose):
    assert set(compose()["services"]) == CORE
    assert set(compose("observability")["services"]) == CORE | WATCHING == set(compose("all")["services"])
    assert set(compose("jaeger")["services"]) == CORE | {"jaeger"}
    assert set(compose("loadtest")["services"]) == CORE | {"load"}


def test_obs_S1_every_port_is_on_loopback_and_where_the_contract_says(everything):
    for name, service in everything.items():
        published = {int(port["published"]): port["target"] for port in service.get("ports", [])}
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
        assert published == PORTS.get(name, {}), name


def test_obs_S1_every_image_is_pinned_and_every_service_has_a_limit(everything):
    for name, service in everything.items():
        assert int(service["mem_limit"]) > 0, name
        assert service["image"].partition(":")[2] not in ("", "latest"), name
    assert {name: everything[name]["image"] for name in IMAGES} == IMAGES
    for file in ("Dockerfile", "deploy/compose/Dockerfile"):
        for image in re.findall(r"^FROM (\S+)", (REPOSITORY / file).read_text(), re.MULTILINE):
            assert image.partition(":")[2] not in ("", "latest"), image


def test_the_compose_loader_sees_mistakes(compose, tmp_path):
    """Tests the test."""
    for wrong in ("{services: {a: {imagee: x}}}", "{services: {a: {image: x, depends_on: [nope]}}}"):
        file = tmp_path / "compose.yml"
        file.write_text(f"name: wrong\n{wrong[1:-1]}\n")
        with pytest.raises(ValueError):
            compose(file=file)


def test_secrets_are_demanded_and_never_written_down(compose):
    with pytest.raises(ValueError, match="SLUICE_ADMIN_TOKEN"):
        compose(environment={"SLUICE_ADMIN_TOKEN": "", "GRAFANA_ADMIN_PASSWORD": "x"})
    with pytest.raises(ValueError, match="GRAFANA_ADMIN_PASSWORD"):
        compose("observability", environment={"SLUICE_ADMIN_TOKEN": "x", "GRAFANA_ADMIN_PASSWORD": ""})
    written = {line.partition("=")[0] for line in (REPOSITORY / ".env.example").read_text().splitlines() if line[:1].isupper()}
    assert written == {"SLUICE_ADMIN_TOKEN", "GRAFANA_ADMIN_PASSWORD"}
    assert "/.env" in (REPOSITORY / ".gitignore").read_text().splitlines()


def test_only_alloy_sees_the_docker_socket_and_cannot_write_to_it(everything):
    for name, service in everything.items():
        sockets = [mount for mount in service.get("volumes", []) if "docker.sock" in mount["source"]]
        assert bool(sockets) == (name == "alloy"), name
        assert all(mount.get("read_only") for mount in sockets)


def test_every_mounted_file_exists_and_is_mounted_to_be_read(everything):
    for name, service in everything.items():
        for mount in service.get("volumes", []):
            if mount["type"] == "bind" and "docker.sock" not in mount["source"]:
                assert mount.get("read_only"), f"{name}: {mount['target']}"
                relative = mount["source"].partition(f"{REPOSITORY}/")[2]
                assert relative and (REPOSITORY / relative).exists(), f"{name}: {mount['source']}"


def test_health_checks_ask_what_the_image_can(everything):
    """Alloy has no wget, Tempo's newer images have no shell; trino-b may sleep, Trino's and the gateway's images bring their own."""
    programs = {name: service["healthcheck"]["test"][1] for name, service in everything.items() if "test" in service.get("healthcheck", {})}
    assert programs == {
        "resumer": "python", "prometheus": "wget", "alertmanager": "wget", "loki": "wget", "grafana": "wget", "alloy": "bash",
    }
    assert everything["trino-b"]["healthcheck"]["disable"] is True
    for service in everything.values():
        for other in service.get("depends_on", {}).values():
            assert other["condition"] != "service_healthy"
    image = (REPOSITORY / "Dockerfile").read_text()
    assert 'CMD ["/usr/local/bin/sluice", "healthcheck", "--url", "http://127.0.0.1:9091/healthz"]' in image


def test_the_grace_period_is_longer_than_the_drain(everything):
    assert everything["sluice"]["stop_grace_period"] == "45s"
    assert "drain:" not in (DEPLOY / "compose/sluice.yaml").read_text(), "the defaults are 10 s and 30 s"


def test_prometheus_is_started_as_its_configuration_needs(everything):
    words = everything["prometheus"]["command"]
    for flag in (
        "--storage.tsdb.retention.time=30d", "--web.enable-lifecycle", "--web.enable-remote-write-receiver",
        "--enable-feature=exemplar-storage",
    ):
        assert flag in words
    assert any(mount["target"] == "/etc/prometheus/alerts" for mount in everything["prometheus"]["volumes"])


def test_prometheus_scrapes_services_at_their_own_ports(everything):
    """The other side of a published port is where a service listens."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            host, _, port = target.rpartition(":")
            host = job["job_name"] if host == "localhost" else host
            assert host in everything, target
            inside = {each["target"] for each in everything[host].get("ports", [])} or {8080}
            assert int(port) in inside, target


def test_the_dockerfiles_pass_the_linter():
    for file in ("Dockerfile", "deploy/compose/Dockerfile"):
        status, said = run(hadolint(), REPOSITORY / file)
        assert status == 0, said


def test_the_linter_sees_mistakes(tmp_path):
    """Tests the test."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM debian:latest\nRUN apt-get update && apt-get install curl\n")
    status, said = run(hadolint(), file)
    assert status != 0 and "DL3007" in said


def test_the_images_are_not_root():
    for file in ("Dockerfile", "deploy/compose/Dockerfile"):
        users = re.findall(r"^USER (\S+)", (REPOSITORY / file).read_text(), re.MULTILINE)
        assert users and users[-1].split(":")[0].isdigit() and users[-1].split(":")[0] != "0", file


def test_the_image_gets_all_that_cargo_reads():
    """.dockerignore leaves everything out but what it names."""
    kept = {line[1:].rstrip("/") for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    manifest = (REPOSITORY / "Cargo.toml").read_text()
    needed = {"Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "src", "routing"}
    needed |= {path.split("/")[0] for path in re.findall(r'^(?:path|build) = "([^"]+)"', manifest, re.MULTILINE) if "tests/" not in path}
    needed |= {"/".join(path.split("/")[:2]) for path in re.findall(r'^path = "(tests/[^"]+)"', manifest, re.MULTILINE)}
    benches = {"benches"} if "[[bench]]" in manifest else set()
    assert needed | benches <= kept
    for source in re.findall(r"^COPY (deploy/\S+) (deploy/\S+)", (DEPLOY / "compose/Dockerfile").read_text(), re.MULTILINE)[0]:
        assert (REPOSITORY / source).exists() and "deploy/compose/*.py" in kept


def test_the_image_gets_all_that_the_guided_build_runs(tmp_path):
    """What lets a gateway work while its steps are counted is imported from what `.dockerignore` names, and from nothing else."""
    for pattern in (line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")):
        for source in REPOSITORY.glob(pattern):
            if source.suffix == ".py" or source.name == "benches":
                target = tmp_path / source.relative_to(REPOSITORY)
                target.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    # Isolated from what is installed here: the image has the bare language.
    imported = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '{tmp_path}/benches/guided'); import work"]
    done = subprocess.run(imported, env={"SLUICE_BIN": "sluice", "PATH": ""}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_toolchain_of_the_image_is_the_repositorys():
    wanted = re.search(r'channel = "([\d.]+)"', (REPOSITORY / "rust-toolchain.toml").read_text())[1]
    assert f"FROM rust:{wanted}-" in (REPOSITORY / "Dockerfile").read_text()


def test_the_gateways_configuration_is_right(sluice):
    status, said = run(sluice, "check", "--config", DEPLOY / "compose/sluice.yaml", environment={"SLUICE_ADMIN_TOKEN": "x"})
    assert status == 0, said


def test_the_gateway_knows_its_neighbours(everything):
    config = yaml.safe_load((DEPLOY / "compose/sluice.yaml").read_text())
    hosts = re.findall(r"http://([\w-]+):", str(config))
    assert {"alloy", "trino-a", "trino-b", "resumer"} == set(hosts) <= set(everything)
    properties = (DEPLOY / "compose/trino/config.properties").read_text().splitlines()
    trino = dict(line.split("=", 1) for line in properties if "=" in line and line[0] != "#")
    assert trino["http-server.process-forwarded"] == trino["tracing.enabled"] == "true"
    assert trino["otel.exporter.endpoint"] == config["telemetry"]["otlpEndpoint"] == "http://alloy:4317"


def test_obs_S4_loki_forgets_after_thirty_days():
    loki = yaml.safe_load((DEPLOY / "loki/loki.yaml").read_text())
    limits, compactor = loki["limits_config"], loki["compactor"]
    assert (limits["retention_period"], limits["max_query_lookback"]) == ("720h", "721h")
    assert (compactor["retention_enabled"], compactor["delete_request_store"]) == (True, "filesystem")
    schema = loki["schema_config"]["configs"][-1]
    assert (schema["schema"], schema["store"], schema["object_store"]) == ("v13", "tsdb", "filesystem")
    assert limits["allow_structured_metadata"] is True
    assert loki["server"]["http_listen_port"] == 3100


def components():
    """(kind, name) of each component of Alloy's configuration."""
    return set(re.findall(r'^([a-z_.]+) "(\w+)" \{', ALLOY, re.MULTILINE))


def test_alloy_is_balanced_and_refers_to_what_it_has():
    bare = re.sub(r'//[^\n]*|"(?:[^"\\]|\\.)*"', "", ALLOY)
    for left, right in ("{}", "[]", "()"):
        assert bare.count(left) == bare.count(right)
    there = {f"{kind}.{name}" for kind, name in components()}
    used = set(re.findall(r"\b((?:discovery|loki|otelcol)[a-z_.]*\.\w+)\.(?:targets|output|receiver|input)\b", bare))
    assert used and used <= there, used - there


def test_alloy_makes_few_streams():
    labels = set(re.findall(r'target_label\s*=\s*"(\w+)"', ALLOY))
    labels |= set(re.findall(r"(\w+)\s*=\s*\"\w+\"", re.search(r"stage\.labels \{(.*?)\n  \}", ALLOY, re.DOTALL)[1]))
    assert labels == {"namespace", "log_source", "service", "level", "event"}
    metadata = re.search(r"stage\.structured_metadata \{(.*?)\n  \}", ALLOY, re.DOTALL)[1]
    assert set(re.findall(r"(\w+)\s*=\s*\"\w+\"", metadata)) == {"trace_id", "query_id", "routing_group"}
    assert "ToLower" in ALLOY and 'format = "RFC3339Nano"' in ALLOY


def test_alloy_speaks_to_those_who_listen(everything):
    assert set(re.findall(r'endpoint = "0\.0\.0\.0:(\d+)"', ALLOY)) == {"4317", "4318"}
    assert "tempo:4317" in ALLOY and "http://loki:3100/loki/api/v1/push" in ALLOY
    tempo = yaml.safe_load((DEPLOY / "tempo/tempo.yaml").read_text())
    assert tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] == "0.0.0.0:4317"
    assert tempo["server"]["http_listen_port"] in {port["target"] for port in everything["tempo"]["ports"]}
    assert "com.docker.compose.project=sluice" in ALLOY
    assert everything["sluice"]["labels"]["sluice.namespace"] == "xtrinode-gateway"
    assert "__meta_docker_container_label_sluice_namespace" in ALLOY


def test_grafana_is_provisioned(everything):
    mounts = {mount["target"] for mount in everything["grafana"]["volumes"]}
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/sluice.yaml").read_text())["providers"][0]
    assert provider["folder"] == "Sluice"
    assert provider["options"]["path"] in mounts
    home = everything["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"]) and (boards.FOLDER / home.rpartition("/")[2]).exists()
    for source in datasources().values():
        host, port = re.match(r"http://([\w-]+):(\d+)", source["url"]).groups()
        assert int(port) in {each["target"] for each in everything[host]["ports"]}, source["name"]


def datasources():
    """Grafana's data sources by their uid."""
    text = (DEPLOY / "grafana/provisioning/datasources/sluice.yaml").read_text()
    assert not re.search(r"(?<!\$)\$(?!\$)", text), "a single dollar sign is a variable of the environment"
    return {source["uid"]: source for source in yaml.safe_load(text)["datasources"]}


def test_signals_lead_to_each_other():
    found = datasources()
    exemplar = found["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]
    assert (exemplar["name"], exemplar["datasourceUid"]) == ("trace_id", "tempo")
    field = found["loki"]["jsonData"]["derivedFields"][0]
    assert (field["matcherType"], field["matcherRegex"], field["datasourceUid"]) == ("label", "trace_id", "tempo")
    tempo = found["tempo"]["jsonData"]
    assert tempo["tracesToLogsV2"]["datasourceUid"] == "loki" and tempo["tracesToLogsV2"]["filterByTraceID"] is True
    assert {"key": "service.name", "value": "service"} in tempo["tracesToLogsV2"]["tags"]
    assert tempo["serviceMap"]["datasourceUid"] == tempo["tracesToMetrics"]["datasourceUid"] == "prometheus"
    assert tempo["nodeGraph"]["enabled"] is True
