"""Sections of `RESULTS.md`, each written by a command of its own."""

from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


def keep(title, text):
    """Writes a section in the place of the one with its title, or at the end."""
    results = RESULTS.read_text() if RESULTS.exists() else ""
    before, _, rest = results.partition(f"## {title}\n")
    _, mark, after = rest.partition("\n## ")
    RESULTS.write_text(f"{before.rstrip()}\n\n## {title}\n\n{text}{mark and mark + after}".lstrip())
