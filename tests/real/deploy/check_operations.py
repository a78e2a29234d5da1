"""docs/OPERATIONS.md: an entry for each alert whose queries parse, commands that run, names that exist."""

import re
import subprocess

import boards
import pytest
import wire
import yaml
from cache import REPOSITORY
from check_dashboards import check_logql
from gateway import Gateway
from tools import run

PAGE = REPOSITORY / "docs/OPERATIONS.md"
TEXT = PAGE.read_text()
PARTS = ("Meaning", "Diagnosis", "Logs", "Procedure", "Escalation")
TROUBLES = (
    "It does not start", "No metrics", "No logs", "High use of CPU, memory or descriptors", "No traces", "Clients get 503",
    "A group stays resuming", "A query runs in the wrong group", "In-flight never falls",
)
SIGNALS = ("metrics", "traces", "logs", "audit", "events", "queries", "profiles")
TOKEN = "of-the-check"


def section(title, level="###"):
    """The text below a heading, up to the next of its level or above."""
    found = re.search(rf"^{level} {re.escape(title)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def parts(alert):
    """The five parts of a runbook entry."""
    return dict(re.findall(r"^- \*\*(\w+)\.\*\* (.*?)(?=^- \*\*|\Z)", section(alert), re.MULTILINE | re.DOTALL))


def quoted(text):
    """What stands between backticks, blocks aside."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+", " ", each) for each in re.findall(r"`([^`]+)`", text)]


def test_obs_D2_every_alert_has_its_entry():
    for alert in boards.alerts():
        entry = parts(alert["alert"])
        assert tuple(entry) == PARTS, alert["alert"]
        assert quoted(entry["Diagnosis"]) and quoted(entry["Logs"]), alert["alert"]
    titles = re.findall(r"^### (\w+)$", section("Runbook", "##"), re.MULTILINE)
    assert sorted(titles) == sorted(alert["alert"] for alert in boards.alerts())


def test_the_runbooks_queries_parse_and_name_what_exists(promtool, tmp_path):
    known = boards.known()
    rules = []
    for alert in boards.alerts():
        for query in quoted(parts(alert["alert"])["Diagnosis"]):
            rules.append({"record": f"x:{len(rules)}", "expr": query})
            assert set(boards.metrics_of(query)) <= set(known), query
    file = tmp_path / "runbook.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": rules}]}))
    status, said = run(promtool, "check", "rules", file)
    assert status == 0, said


def test_obs_S5_log_queries_select_streams_that_exist():
    found = [query for query in quoted(TEXT) if query.startswith("{") and "=" in query]
    assert len(found) > len(boards.alerts()) - 2
    assert '{namespace="xtrinode-gateway"} | json | routing_group="team-a--analytics"' in found
    for query in found:
        check_logql(query, query)


def test_every_reason_of_a_503_is_explained():
    labels = (REPOSITORY / "src/metrics/labels.rs").read_text()
    named = re.findall(r"^\| `(\w+)` \|", section("Why a 503", "##"), re.MULTILINE)
    declared = re.search(r"no_backend\".*?upstream_503\"", labels, re.DOTALL)[0]
    assert set(re.findall(r'= "(\w+)"', f'= "{declared}')) == set(named)


def test_obs_D2_every_signal_has_cost_questions_and_blind_spots():
    rows = [line.split(" | ") for line in section("The signals", "##").splitlines() if line.startswith("| ")]
    head, body = rows[0], rows[2:]
    assert [word.strip(" |") for word in head] == ["signal", "where", "cost", "answers", "cannot tell"]
    assert [row[0].strip(" |") for row in body] == list(SIGNALS)
    assert all(len(cell.strip(" |")) > 10 for row in body for cell in row[1:])


def test_links_lead_somewhere():
    anchors = {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("http"):
            assert (PAGE.parent / target).exists(), target
    for alert in boards.alerts():
        assert alert["annotations"]["runbook"].partition("#")[2] in anchors


def test_files_and_targets_that_are_named_exist():
    for path in re.findall(r"`(deploy/[\w./-]+)`", TEXT):
        assert (REPOSITORY / path).exists(), path
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {word for words in quoted(TEXT) for word in re.findall(r"^make ([a-z-]+)", words)}
    assert named and named <= targets


def test_commands_of_sluice_exist():
    helped = set(re.findall(r"^=== (\w+)$", (REPOSITORY / "tests/golden/help.txt").read_text(), re.MULTILINE))
    named = {word for words in quoted(TEXT) for word in re.findall(r"^sluice ([a-z]+)", words)}
    assert {"resume", "drain", "check"} <= named <= helped


def commands(trouble):
    """Each line of a section's shell block."""
    return [line for block in re.findall(r"```sh\n(.*?)```", section(trouble), re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def running(sluice, curl):
    """A gateway before a simulated coordinator, and what the commands are told about it."""
    import gateway

    gateway.BINARY = sluice
    trino, admin, profiles = wire.free_ports(3)
    simulator = subprocess.Popen([sluice, "simulator", "--bind", f"127.0.0.1:{trino}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        settings = {
            "admin": {"bind": f"127.0.0.1:{admin}", "token": TOKEN},
            "profiling": {"enabled": True, "bind": f"127.0.0.1:{profiles}"},
        }
        with Gateway([{"name": "trino-a", "url": f"http://127.0.0.1:{trino}"}], {"name": "adhoc"}, **settings) as started:
            yield {
                "DATA": started.url,
                "METRICS": started.metrics.removesuffix("/metrics"),
                "HEALTH": started.health,
                "ADMIN": f"http://127.0.0.1:{admin}",
                "PPROF": f"http://127.0.0.1:{profiles}",
                "SLUICE_ADMIN_TOKEN": TOKEN,
                "SLUICE_CONFIG": str(started.config),
                "GROUP": "adhoc",
                "BINARY": str(sluice),
            }
    finally:
        simulator.kill()
        simulator.wait()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_obs_D1_the_commands_run(running, trouble):
    """As they stand, but an answer that is no 2xx counts as failed."""
    found = commands(trouble)
    assert found
    # The reader has one in the PATH.
    head = 'set -euo pipefail\nsluice() { "$BINARY" "$@"; }\ncurl() { command curl --fail "$@"; }\n'
    for line in found:
        status, said = run("bash", "-c", head + line, environment=running, limit=30)
        assert status == 0, f"{line}\n{said}"


def test_every_trouble_has_commands():
    titles = re.findall(r"^### (.+)$", section("Troubleshooting", "##"), re.MULTILINE)
    assert tuple(titles) == TROUBLES
