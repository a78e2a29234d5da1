"""Clients that are all brought to their marks before the one thing is done that concerns all of them."""

import threading

# Seconds for the slowest client to come to its mark.
LIMIT = 240


class Gathering:
    """So many programs; when each has come to a mark or ended, `act` is called once, and all go on.

    One that comes late to a mark, or to another, goes on at once.
    """

    def __init__(self, count, act):
        self._expected = count
        self._act = act
        self._changed = threading.Condition()
        self._failure = None
        self._done = count == 0

    def arrive(self):
        """Waits at a mark until the thing is done; raises what it raised."""
        with self._changed:
            if not self._done:
                self._expected -= 1
                self._act_if_all_are_here()
                if not self._changed.wait_for(lambda: self._done, LIMIT):
                    raise AssertionError(f"{self._expected} clients did not come to their marks in {LIMIT} s")
            if self._failure:
                raise self._failure

    def leave(self):
        """A program has ended without a mark."""
        with self._changed:
            self._expected -= 1
            self._act_if_all_are_here()

    def _act_if_all_are_here(self):
        if self._expected > 0 or self._done:
            return
        try:
            self._act()
        except Exception as failure:
            self._failure = failure
        self._done = True
        self._changed.notify_all()
