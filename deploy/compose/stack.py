"""Where the services of docker-compose.yml listen on this host, and how they are asked.

Each address can be another one, by its variable: so the same scripts serve a gateway that does not run in compose.
"""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ADDRESSES = {
    "SLUICE_METRICS_URL": "http://127.0.0.1:9190",
    "SLUICE_HEALTH_URL": "http://127.0.0.1:9191",
    "SLUICE_ADMIN_URL": "http://127.0.0.1:8081",
    "SLUICE_PPROF_URL": "http://127.0.0.1:6060",
    "PROMETHEUS_URL": "http://127.0.0.1:9090",
    "ALERTMANAGER_URL": "http://127.0.0.1:9093",
    "LOKI_URL": "http://127.0.0.1:3100",
    "ALLOY_URL": "http://127.0.0.1:12345",
    "TEMPO_URL": "http://127.0.0.1:3200",
    "GRAFANA_URL": "http://127.0.0.1:3001",
}
# Who answers 200 when it is ready, and where.
READY = {
    "sluice": ("SLUICE_HEALTH_URL", "/readyz"),
    "prometheus": ("PROMETHEUS_URL", "/-/ready"),
    "alertmanager": ("ALERTMANAGER_URL", "/-/ready"),
    "loki": ("LOKI_URL", "/ready"),
    "alloy": ("ALLOY_URL", "/-/ready"),
    "tempo": ("TEMPO_URL", "/ready"),
    "grafana": ("GRAFANA_URL", "/api/health"),
}
# Seconds; more than any of them needs on a busy machine.
TIMEOUT = 10
# What is on this host is not asked through a proxy.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def address(name):
    """A service's base URL."""
    return os.environ.get(name, ADDRESSES[name]).rstrip("/")


def get(name, path, headers=(), timeout=TIMEOUT, **parameters):
    """The body of an answer 200; everything else is an OSError with what was asked."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    url = f"{address(name)}{path}{query}"
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with DIRECT.open(request, timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        raise OSError(f"{url}: {refused.code}") from refused
    except (OSError, ValueError) as failure:
        raise OSError(f"{url}: {getattr(failure, 'reason', failure)}") from failure


def ask(name, path, headers=(), **parameters):
    """The same as JSON."""
    return json.loads(get(name, path, headers, **parameters))


def operator():
    """The header of an operator; the token is of the environment, else of .env."""
    token = os.environ.get("SLUICE_ADMIN_TOKEN") or written("SLUICE_ADMIN_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def written(name):
    """What .env says."""
    file = REPOSITORY / ".env"
    for line in file.read_text().splitlines() if file.exists() else []:
        key, found, value = line.partition("=")
        if found and key.strip() == name:
            return value.strip()
    return None
