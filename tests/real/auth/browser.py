"""Who clicks on the link that a client shows: follows it to the identity provider and back, with cookies, as a browser does."""

import threading
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

# What Trino's page says when it has a token for whoever polls.
SUCCEEDED = "OAuth2 authentication succeeded"
# Seconds for a step of the way.
LIMIT = 60


class Browser:
    """A browser of its own for each visit; `visits` are the ways that they went, URL by URL.

    Where nobody `agrees`, the provider sends it back without a code, as it does when a user cancels.
    """

    def __init__(self, ca, agrees=True):
        self._ca = str(ca)
        self._agrees = agrees
        self.visits = []
        self.failures = []

    def open(self, url):
        """Goes there in the background, while the client goes on."""
        threading.Thread(target=self.visit, args=(url,), name="browser", daemon=True).start()

    def visit(self, url):
        """Goes there and wherever it leads; what went wrong stands in `failures`."""
        try:
            with requests.Session() as session:
                session.trust_env = False
                page = self._follow(session, url)
            if self._agrees and (page.status_code != 200 or SUCCEEDED not in page.text):
                self.failures.append(f"{page.status_code} at {page.url}: {page.text[:500]}")
        except (requests.RequestException, LookupError) as failure:
            self.failures.append(repr(failure))

    def _follow(self, session, url):
        way = []
        self.visits.append(way)
        while True:
            way.append(url)
            page = session.get(url, verify=self._ca, timeout=LIMIT, allow_redirects=False)
            if not page.is_redirect:
                return page
            url = requests.compat.urljoin(url, page.headers["Location"])
            if not self._agrees and "/authorize?" in url:
                url = refused(url)


def refused(url):
    """Where a provider sends the browser of somebody who does not want."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
