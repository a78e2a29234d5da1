"""What a person sees who opens Trino's own pages through the gateway: the right coordinator's data, in every tab."""

import re

from playwright.sync_api import expect

from pages import logged_in

# Milliseconds for a page to show something: the machine may be busy, and pages ask once in 3 s.
expect.set_options(timeout=60_000)


def test_a_query_s_own_page_is_of_its_coordinator(house, tabs):
    """Two coordinators, two tabs, two logins of one person: neither ends the other."""
    with house.query_at("one") as one, house.query_at("two") as two:
        shown = {query: logged_in(tabs(), query.info_uri) for query in (one, two)}
        for query, page in shown.items():
            expect(page.get_by_text(query.id).first).to_be_visible()
            expect(page.get_by_text("RUNNING").first).to_be_visible()
        for query, page in shown.items():
            # The first tab, too, after the second has logged in elsewhere.
            page.reload()
            expect(page.get_by_text(query.id).first).to_be_visible()
            assert f"/_b/{house.name_of(query.id)}/" in page.url


def test_the_list_shows_what_runs_there_and_nothing_else(house, tabs):
    with house.query_at("one") as one, house.query_at("two") as two:
        for here, elsewhere in ((one, two), (two, one)):
            page = logged_in(tabs(), f"{house.gateway.url}/_b/{house.name_of(here.id)}/ui/")
            expect(page.get_by_text(here.id).first).to_be_visible()
            expect(page.get_by_text(elsewhere.id)).to_have_count(0)


def test_a_query_killed_on_its_page_tells_its_client_so(house, tabs):
    """One button, the same word for the client; the other coordinator's query goes on."""
    with house.query_at("one") as one, house.query_at("two") as two:
        page = logged_in(tabs(), one.info_uri)
        other = logged_in(tabs(), two.info_uri)
        page.get_by_text(re.compile("^(Cancel query|Kill)$", re.IGNORECASE)).first.click()
        assert one.outcome()["errorName"] in ("ADMINISTRATIVELY_KILLED", "USER_CANCELED")
        expect(page.get_by_text(re.compile("ADMINISTRATIVELY_KILLED|FAILED|USER CANCELED")).first).to_be_visible()
        expect(other.get_by_text("RUNNING").first).to_be_visible()


def test_the_front_page_lets_one_choose(house, tabs):
    """Whose pages `/ui/` would be nobody can know: the gateway shows the coordinators, each a link."""
    page = tabs()
    page.goto(f"{house.gateway.url}/ui/")
    for name in ("one", "two"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    page.get_by_role("link", name="two").click()
    page.wait_for_url(re.compile("/_b/two/ui/"))


def test_an_address_without_a_coordinator_finds_its_query(house, tabs):
    """An address as it was before there was a gateway, from a mail or a log: the id alone says where."""
    with house.query_at("two") as query:
        bare = query.info_uri.replace("/_b/two", "")
        assert bare != query.info_uri
        page = logged_in(tabs(), bare)
        expect(page.get_by_text(query.id).first).to_be_visible()
        assert "/_b/two/" in page.url
