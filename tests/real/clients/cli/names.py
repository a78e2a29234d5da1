"""What the command line asks by itself in a terminal: the names that it completes, in a thread of its own.

For each schema that it comes to, the first one included, it asks for the functions and then for the tables. Left before
that has ended, it leaves a query behind that nobody polls, which Trino and the gateway count for minutes, as they should.
So a terminal is left only when its own questions have come and gone; those of earlier ones tell nothing of it.
"""

import uuid

LOOKS = 60
QUESTIONS = (
    "SELECT count_if(ended) >= {count} AND NOT bool_or(NOT ended) AS gone FROM (SELECT state IN ('FINISHED', 'FAILED') AS ended"
    " FROM system.runtime.queries WHERE source = '{source}'"
    " AND (query = 'SHOW FUNCTIONS' OR query LIKE 'SELECT table_name FROM information_schema.%'))"
)


class Names:
    """The questions of one terminal, known by its source."""

    def __init__(self):
        self.source = f"clients-{uuid.uuid4().hex}"

    def asked_in(self, session, schemas=1):
        """Waits for their end by asking in the terminal itself."""
        self._wait(lambda sql: any(line.strip() == "true" for line in session.ask(f"{sql};")[0]), schemas)

    def asked_beside(self, calls):
        """The same by calls of their own, for a terminal in which nothing can be asked any more."""
        self._wait(lambda sql: calls.said("--output-format=CSV_UNQUOTED", "--execute", sql)["out"].strip() == "true", 1)

    def _wait(self, gone, schemas):
        """Nobody is at fault where they never come: one that was refused, or that another coordinator has."""
        sql = QUESTIONS.format(count=2 * schemas, source=self.source)
        for _ in range(LOOKS):
            if gone(sql):
                break
