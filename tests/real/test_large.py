"""Results of many pages and segments, row by row the same as without the gateway; a million of rows is read by JDBC, in `clients/`."""

import zlib
from functools import cache

import pytest

# A scale of which all rows are wanted: those that are left out cost Trino as much.
SQL = 'SELECT orderkey, totalprice, clerk FROM tpch."sf0.2".orders'
ROWS = 300_000
# The client's own default; without it the rows come inside the pages.
SPOOLED = ["json+zstd", "json+lz4", "json"]


def fingerprint(door, **options):
    """The number of rows and a sum over all of them: Trino gives them in no certain order."""
    cursor = door.connect(**options).cursor().execute(SQL)
    count = total = 0
    while batch := cursor.fetchmany(10_000):
        count += len(batch)
        total += sum(zlib.crc32(repr(row).encode()) for row in batch)
    return count, total


@pytest.fixture(scope="session")
def expected(reference):
    """The answer without a gateway and without spooling."""
    return cache(lambda: fingerprint(reference))


def test_large_result(door, expected):
    found = fingerprint(door)
    assert found[0] == ROWS
    assert found == expected()
    assert sum("/v1/statement/executing/" in exchange.url for exchange in door.exchanges) > 8


def test_large_spooled_result(door, expected, version):
    """Segments and their acknowledgements pass the gateway too; the old Trino knows none and answers with pages."""
    assert fingerprint(door, encoding=SPOOLED) == expected()
    paths = [exchange.url.removeprefix(door.url) for exchange in door.exchanges]
    segments = sum("/v1/spooled/" in path for path in paths)
    assert (segments > 2) == (version == "483")


def test_small_spooled_result(door, version):
    assert door.rows("SELECT 1", encoding=SPOOLED) == [[1]]
    assert any("/v1/spooled/" in exchange.url for exchange in door.exchanges) == (version == "483")
