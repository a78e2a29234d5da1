"""The closing table: each client in each situation, passed, failed or skipped, and why."""

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}
# What counts where the tasks of one client in one situation ended differently.
WORST = ("failed", "skipped", "passed")
NOT_PLAYED = "-"
# A reason's first line is enough here; the whole stands above the table.
REASON = 200


def text(outcomes):
    """A table as text; `outcomes` are (client, situation, task, outcome, reason) in their order."""
    situations = list(dict.fromkeys(situation for _, situation, *_ in outcomes))
    clients = list(dict.fromkeys(client for client, *_ in outcomes))
    rows = [["client", *situations]]
    for client in clients:
        rows.append([client, *(cell(outcomes, client, situation) for situation in situations)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, *reasons(outcomes)])


def cell(outcomes, client, situation):
    """What came of a client in a situation."""
    found = [outcome for who, where, _, outcome, _ in outcomes if (who, where) == (client, situation)]
    worst = next((outcome for outcome in WORST if outcome in found), None)
    if worst is None:
        return NOT_PLAYED
    count = found.count(worst)
    return MARKS[worst] if count == len(found) == 1 else f"{MARKS[worst]} {count}/{len(found)}"


def reasons(outcomes):
    """A line for each case that did not pass."""
    return [
        f"! {client}, {situation}, {task}: {reason.strip().splitlines()[0][:REASON] if reason.strip() else outcome}"
        for client, situation, task, outcome, reason in outcomes
        if outcome != "passed"
    ]
