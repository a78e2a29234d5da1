"""Every URI in an answer points at the door it came through, whatever makes it so."""

import wire

URIS = ("nextUri", "infoUri", "partialCancelUri")


def follow(door, sql, headers=None):
    """The pages of a statement, each with its headers, by a client that takes URIs as they are."""
    session = door.session()
    headers = {**wire.USER, "X-Trino-Catalog": "tpch", "X-Trino-Schema": "tiny", **(headers or {})}
    answer = session.post(f"{door.url}/v1/statement", data=sql, headers=headers)
    while True:
        assert answer.status_code == 200, answer.text
        yield answer
        if "nextUri" not in answer.json():
            return
        answer = session.get(answer.json()["nextUri"], headers=headers)


def test_uris_of_all_pages(door):
    seen = set()
    for answer in follow(door, "SELECT * FROM orders"):
        page = answer.json()
        for name in URIS:
            if name in page:
                seen.add(name)
                assert page[name].startswith(f"{door.url}/"), page[name]
    assert seen == set(URIS)


def test_name_instead_of_address(door):
    """A client that comes by a name gets that name back."""
    origin = door.url.replace("127.0.0.1", "trino.example")
    named = {"Host": origin.removeprefix("http://")}
    session = door.session()
    page = session.post(f"{door.url}/v1/statement", data="SELECT 1", headers={**wire.USER, **named}).json()
    while "nextUri" in page:
        # With several backends a gateway may put its marker before the path.
        assert page["nextUri"].startswith(f"{origin}/")
        path = page["nextUri"].removeprefix(origin)
        page = session.get(f"{door.url}{path}", headers={**wire.USER, **named}).json()
    assert page["stats"]["state"] == "FINISHED"


def test_compressed_pages(door):
    """Answers come in an encoding that the client asked for, and only in such."""
    for asked in ("identity", "gzip"):
        for answer in follow(door, "SELECT * FROM lineitem LIMIT 20000", {"Accept-Encoding": asked}):
            assert answer.headers.get("Content-Encoding", "identity") in ("identity", asked)


def test_unknown_query_is_trinos_404(door):
    answer = door.session().get(
        f"{door.url}/v1/statement/executing/20240101_000000_00000_zzzzz/y0123456789/0", headers=wire.USER
    )
    # The old Trino says only the second half.
    assert answer.status_code == 404
    assert answer.text in ("Error 404 Not Found: Query not found", "Query not found")


def test_wrong_slug_is_trinos_404_and_hurts_nobody(door):
    pages = follow(door, "SELECT * FROM lineitem LIMIT 20000")
    page = next(pages).json()
    wrong = page["nextUri"].replace("/y", "/z", 1)
    assert door.session().get(wrong, headers=wire.USER).status_code == 404
    *_, last = pages
    assert last.json()["stats"]["state"] == "FINISHED"
