"""The columns of the table: every situation there is, in the order in which they are played."""

from cold import Cold, Told
from encrypted import Encrypted, Encrypted1
from killed import Killed
from rolled import Rolled
from situations import Drained, Pair, Warm

# Cases that are asked for by the name of a rule.
RULES = {
    # observability.md 12: the driver's questions, a query, its cancel; what DBeaver asks; the Python client.
    "obs_H5": r"warm-forwarded-(trino-jdbc-484|trino-.?Python.*)-(statements|cancel)",
    # scale-from-zero.md 13, test 12: one client of each language through a cold start of a minute.
    "coldstart_T12": r"cold-queue-(trino-jdbc-484|trino-.?Python.*|trino-go-client.*|trino-client.*|trino-rust-client.*)-cold",
}
# Seconds before a process is even started. In `queue` nobody minds; in the others some clients have patience for two
# minutes in all, and a busy machine needs most of them for the start.
MINUTE, SHORT = 60, 20

COLUMNS = [
    # Where the gateway touches no page, a page is a page; where it patches them, large and spooled ones too.
    Warm("forwarded", "statements", "large", "spooled", "cancel"),
    Warm("host", "statements"),
    Warm("auto", "spooled"),
    Warm("rewrite", "statements", "large", "spooled"),
    Encrypted(),
    Encrypted1(),
    Pair(),
    Drained(),
    Rolled(),
    Killed(),
    Cold("queue", MINUTE),
    Told("hold", SHORT),
    Told("reject", SHORT),
    # An old Trino in each mode is what tests/real itself plays; here is what its clients see. The last, for its idle
    # coordinators take a sixth of a core.
    Warm("host", "statements", trino="435"),
]
