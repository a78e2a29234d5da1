"""Logging in, as a person does it: a name, and the button."""

from playwright.sync_api import expect

NAME = "input[name='username'], #username, input[type='text']"


def logged_in(page, url):
    """Opens an address and logs in if the coordinator asks; a second tab of the same person is not asked again."""
    page.goto(url)
    name = page.locator(NAME).first
    expect(name.or_(page.get_by_text("Cluster Overview", exact=False)).or_(page.locator("text=/\\d{8}_\\d{6}_/")).first).to_be_visible()
    if name.is_visible() and page.get_by_text("Log in", exact=False).count():
        name.fill("tests")
        page.keyboard.press("Enter")
        # Leaving now would take the login along.
        expect(name).to_be_hidden()
        page.goto(url)
    return page
