"""The columns of the table: every situation there is, in the order in which they are played."""

from cold import Cold, Told
from encrypted import Encrypted
from killed import Killed
from rolled import Rolled
from situations import Drained, Pair, Warm

# scale-from-zero.md 13, test 12: one client of each language through a cold start of a minute.
T12 = r"(trino-jdbc 484|trino \(Python\)|trino-go-client|trino-client|trino-rust-client)"

# observability.md 12, H5: the driver's questions, a query, its cancel; what DBeaver asks; the Python client.
H5 = r"warm-forwarded-(trino-jdbc-484|trino-.?Python.*)-(statements|cancel)"

COLUMNS = [
    # Where the gateway touches no page, a page is a page; where it patches them, large and spooled ones too.
    Warm("forwarded", "statements", "large", "spooled", "cancel"),
    Warm("host", "statements"),
    Warm("rewrite", "statements", "large", "spooled"),
    Warm("host", "statements", "large", trino="435"),
    Warm("rewrite", "statements", trino="435"),
    Encrypted(),
    Pair(),
    Drained(),
    Rolled(),
    Killed(),
    Cold(),
    Told("hold"),
    Told("reject"),
    Cold(wait=60, name="coldstart_T12", clients=T12),
]
