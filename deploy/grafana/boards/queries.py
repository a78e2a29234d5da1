"""Words for PromQL that stand in many panels.

`GROUP` narrows to the groups that the reader chose. A rate is taken over Grafana's own interval, so that it fits both
the scrape and the width of the screen.
"""

GROUP = '{routing_group=~"$routing_group"}'
WINDOW = "$__rate_interval"


def rate(metric, *labels, chosen=GROUP):
    """What happens in a second, by these labels."""
    return f"sum by ({','.join(labels)}) (rate({metric}{chosen}[{WINDOW}]))"


def rate_all(metric, *labels):
    """The same for what has no routing group."""
    return rate(metric, *labels, chosen="")


def quantile(q, metric, *labels, chosen=GROUP):
    """A quantile over all replicas, from the buckets of a histogram, by these labels."""
    by = ",".join(("le", *labels))
    return f"histogram_quantile({q}, sum by ({by}) (rate({metric}_bucket{chosen}[{WINDOW}])))"


def quantile_all(q, metric, *labels):
    """The same for what has no routing group."""
    return quantile(q, metric, *labels, chosen="")
