"""The columns of the table: every situation there is, in the order in which they are played."""

from cold import Cold, Told
from encrypted import Encrypted
from killed import Killed
from rolled import Rolled
from situations import Drained, Pair, Warm

# scale-from-zero.md 13, test 12: one client of each language through a cold start of a minute.
T12 = r"(trino-jdbc 484|trino \(?Python|trino-go-client|trino-client|trino-rust-client)"

COLUMNS = [
    *(Warm(uris) for uris in ("forwarded", "host", "rewrite")),
    *(Warm(uris, "435") for uris in ("host", "rewrite")),
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
