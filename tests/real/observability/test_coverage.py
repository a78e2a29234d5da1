"""M24, both ways: every metric of the contract is scraped and shown, and whatever is shown is scraped."""

import re

import pytest
import repository
import wire
from prometheus_client.parser import text_string_to_metric_families

# Of others.
FOREIGN = re.compile(r"trino_")


@pytest.fixture(scope="module")
def scraped(stage):
    """The names of the metrics that the gateway shows, with their types."""
    text = wire.exchange("GET", stage.gateway.metrics)[2].decode()
    # The parser leaves `_total` away, as OpenMetrics does.
    families = [family for family in text_string_to_metric_families(text) if family.samples]
    return {full_name(family): family.type for family in families}


def full_name(family):
    """Its name as Prometheus has it."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def shown():
    """The metrics that panels and alerts ask for; a recorded series stands for what it is made of."""
    asked = [query.expression for query in repository.queries()] + [rule["expr"] for rule in repository.rules()]
    return set().union(*(repository.named(expression) for expression in asked))


@pytest.mark.parametrize("name, kind", repository.contract().items(), ids=repository.contract())
def test_obs_m24_metric_is_scraped_and_shown(scraped, name, kind):
    """A row of the contract."""
    if name in repository.ABSENT:
        assert name not in scraped, f"{repository.ABSENT[name]} is no excuse any more"
    else:
        assert scraped.get(name) == kind
    assert name in shown(), f"no panel and no alert asks for {name}"


def test_obs_m24_whatever_is_scraped_is_in_the_contract(scraped):
    """`process_*` is the convention's; everything else is named by the golden file."""
    own = {name for name in scraped if not name.startswith("process_")}
    assert own - repository.contract().keys() == set()


def test_obs_m24_whatever_is_shown_is_scraped(scraped):
    """No panel and no alert asks for what nobody exports."""
    recorded = {rule["record"] for rule in repository.rules() if "record" in rule}
    missing = {name for name in shown() - scraped.keys() - recorded - repository.ABSENT.keys() if not FOREIGN.match(name)}
    assert missing == set()
