#!/usr/bin/env python3
"""Draws the dashboards as their files lay them out, from what a real Prometheus answers to each panel, since there is no
Grafana to be had as a package: for looking whether a panel says something, and for the documentation.

    pictures.py FOLDER [DASHBOARD...]    plays a stage for a while, writes FOLDER/DASHBOARD.png of each

Not Grafana's looks: its numbers, units, legends and places. Panels that ask Loki say so.
"""

import math
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import interpreter
import repository

# Seconds of load that a picture shows, and between two points of it.
SHOWN, STEP = 120, 2
# Inches for one unit of Grafana's grid; the colours that a dark picture wants.
WIDE, HIGH, DPI = 0.62, 0.34, 75
GROUND, PAPER, INK, PALE = "#111217", "#181b1f", "#d8d9da", "#8e9297"
LINES = ["#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#8ab8ff", "#ffb357", "#37872d", "#fade2a"]
GOOD = "#73bf69"
# Series that a legend has room for.
LEGEND = 8


def units(kind, value):
    """A number as its unit wants it."""
    if math.isnan(value):
        return "–"
    if kind == "percentunit":
        return f"{value * 100:.3g} %"
    if kind == "s":
        return span(value)
    if kind in ("bytes", "Bps"):
        power = min(int(math.log(value, 1024)), 4) if value >= 1 else 0
        return f"{value / 1024 ** power:.3g} {['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}{'/s' if kind == 'Bps' else ''}"
    tail = {"cps": " c/s", "reqps": " req/s", "ops": " ops/s"}.get(kind, "")
    return f"{value:.3g}{tail}"


def span(value):
    """Seconds."""
    for least, each, name in ((3600, 3600, "h"), (60, 60, "min"), (1, 1, "s"), (1e-3, 1e-3, "ms")):
        if abs(value) >= least:
            return f"{value / each:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def label(target, labels):
    """A series' name in the legend."""
    told = target.get("legendFormat") or ""
    if not told or told == "__auto":
        return ", ".join(f"{name}={value}" for name, value in labels.items() if name != "__name__") or target["expr"][:40]
    for name in repository.braced(told):
        told = told.replace("{{" + name + "}}", labels.get(name.strip(), ""))
    return told.strip()


class Picture:
    """One dashboard on one sheet."""

    def __init__(self, dashboard, stage, plot):
        self._dashboard, self._stage, self._plot = dashboard, stage, plot
        self._rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) + 1
        self._sheet = plot.figure(figsize=(24 * WIDE, self._rows * HIGH), facecolor=GROUND)

    def draw(self, path, until):
        """Draws every panel and writes the file."""
        self._sheet.text(0.006, 1 - 0.55 / self._rows, self._dashboard["title"], color=INK, size=14, va="center")
        for panel in self._dashboard["panels"]:
            draw = {
                "row": self._row, "stat": self._stat, "table": self._table, "logs": self._logs, "heatmap": self._heatmap,
                "state-timeline": self._states,
            }.get(panel["type"], self._lines)
            draw(panel, self._axes(panel), until)
        self._sheet.savefig(path, dpi=DPI, facecolor=GROUND)
        self._plot.close(self._sheet)

    def _axes(self, panel):
        """Its place, below the title of the sheet, with room for its own title."""
        at = panel["gridPos"]
        bare = panel["type"] in ("row", "stat", "table", "logs")
        left, width = at["x"] / 24 + (0.004 if bare else 0.034), at["w"] / 24
        top = 1 - (at["y"] + 1) / self._rows
        height = at["h"] / self._rows
        border = self._plot.Rectangle(
            (at["x"] / 24 + 0.001, top - height + 0.001), width - 0.002, height - 0.002, facecolor=PAPER,
            transform=self._sheet.transFigure, figure=self._sheet, zorder=-1)
        if panel["type"] != "row":
            self._sheet.add_artist(border)
            self._sheet.text(at["x"] / 24 + 0.004, top - 0.55 / self._rows, panel["title"], color=INK, size=9, va="center")
        room = min(1.1 / self._rows, height * 0.6)
        low = (0.1 if bare else 1.75) / self._rows
        axes = self._sheet.add_axes(
            [left, top - height + low, width - (0.006 if bare else 0.04), max(height - room - low, 0.2 / self._rows)],
            facecolor="none")
        axes.tick_params(colors=PALE, labelsize=7, length=2)
        for spine in axes.spines.values():
            spine.set_color("#2c3235")
        return axes

    def _series(self, panel, until):
        """(legend, [(time, value)]) of every series, the highest first: they are those that the legend has room for."""
        found = []
        for target in repository.targets(panel):
            answered = self._stage.prometheus.range(repository.filled(target["expr"]), until - SHOWN, until, STEP)
            found += [(label(target, labels), points) for labels, points in answered]
        return sorted(found, key=lambda each: -max((value for _, value in each[1] if not math.isnan(value)), default=-1))

    def _unit(self, panel):
        return panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "none")

    def _row(self, panel, axes, _):
        axes.set_axis_off()
        axes.text(0.004, 0.5, f"▾ {panel['title']}", color=INK, size=10, weight="bold", va="center", transform=axes.transAxes)

    def _logs(self, panel, axes, _):
        axes.set_axis_off()
        axes.text(0.5, 0.6, "asks Loki, which is not here", color=PALE, size=9, ha="center", transform=axes.transAxes)
        axes.text(0.5, 0.3, panel["targets"][0]["expr"], color=PALE, size=7, ha="center", transform=axes.transAxes)

    def _stat(self, panel, axes, until):
        axes.set_axis_off()
        room = max(2, panel["gridPos"]["w"] // 2)
        latest = [(name, points[-1][1]) for name, points in self._series(panel, until)][:room]
        for index, (name, value) in enumerate(latest):
            at = (index + 0.5) / len(latest)
            # A piece of information has its text in the legend and 1 as value.
            shown = units(self._unit(panel), value) if panel.get("options", {}).get("textMode") != "name" else ""
            axes.text(at, 0.62, shown, color=colour(panel, value), size=16 if len(latest) < 4 else 11, ha="center", va="center", transform=axes.transAxes)
            axes.text(at, 0.15, name[:12 if len(latest) > 2 else 40], color=PALE, size=7, ha="center", va="center", transform=axes.transAxes)
        if not latest:
            self._nothing(axes)

    def _nothing(self, axes):
        axes.text(0.5, 0.5, "no data", color=PALE, size=10, ha="center", va="center", transform=axes.transAxes)

    def _lines(self, panel, axes, until):
        found = self._series(panel, until)
        stacked = panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
        if stacked and found:
            times = [until - SHOWN + index * STEP for index in range(SHOWN // STEP + 1)]
            rows = [[dict((round(at), value) for at, value in points).get(round(at), 0) for at in times] for _, points in found]
            axes.stackplot([at - until for at in times], rows, colors=LINES, alpha=0.6, labels=[name for name, _ in found])
        else:
            for index, (name, points) in enumerate(found):
                axes.plot([at - until for at, _ in points], [value for _, value in points], color=LINES[index % len(LINES)], linewidth=1, label=name)
        self._finish(panel, axes, [name for name, _ in found])

    def _finish(self, panel, axes, names):
        if not names:
            self._nothing(axes)
        axes.set_xlim(-SHOWN, 0)
        axes.grid(color="#2c3235", linewidth=0.5)
        axes.yaxis.set_major_locator(self._plot.MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _: units(self._unit(panel), value))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} s")
        handles, labels = axes.get_legend_handles_labels()
        if labels:
            more = f" (+{len(labels) - LEGEND})" if len(labels) > LEGEND else ""
            labels = [name[:28] for name in labels[:LEGEND]]
            labels[-1] += more
            axes.legend(handles[:LEGEND], labels, fontsize=6, labelcolor=INK, frameon=False, ncols=4, loc="upper left",
                        bbox_to_anchor=(-0.02, -0.12), borderpad=0, columnspacing=1, handlelength=1)

    def _states(self, panel, axes, until):
        """A bar for each series, in the colours of its values."""
        meant = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
        found = self._series(panel, until)
        for index, (_, points) in enumerate(found):
            for at, value in points:
                told = meant.get(f"{value:.0f}", {"color": "blue"})["color"]
                if told != "transparent":
                    axes.broken_barh([(at - until, STEP)], (index - 0.4, 0.8), facecolors=told)
        axes.set_ylim(-0.6, len(found) - 0.4)
        axes.set_yticks(range(len(found)), [name[:14] for name, _ in found])
        axes.set_xlim(-SHOWN, 0)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} s")

    def _heatmap(self, panel, axes, until):
        """One row for each bucket, what lies below it taken off."""
        found = sorted(((float(name), dict(points)) for name, points in self._series(panel, until)), key=lambda each: each[0])
        times = sorted({at for _, points in found for at in points})
        rows = [[points.get(at, 0) for at in times] for _, points in found]
        apart = rows[:1] + [[max(now - below, 0) for now, below in zip(row, lower)] for lower, row in zip(rows, rows[1:])]
        axes.imshow(apart, aspect="auto", origin="lower", cmap="inferno", extent=(-SHOWN, 0, 0, len(rows)))
        axes.set_yticks([index + 1 for index in range(len(found))][::2], [units("s", bound) for bound, _ in found][::2])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} s")

    def _table(self, panel, axes, _):
        """One line for each sample."""
        axes.set_axis_off()
        samples = [labels for target in repository.targets(panel) for labels, _ in self._stage.prometheus.query(repository.filled(target["expr"]))]
        shown = [(each.get("alertname", ""), each.get("severity", ""), each.get("routing_group") or each.get("job", "")) for each in samples]
        for index, words in enumerate([("alert", "severity", "of"), *sorted(set(shown))][:9]):
            for column, word in enumerate(words):
                axes.text(0.01 + 0.3 * column, 0.95 - index * 0.11, word, color=PALE if not index else INK, size=8, transform=axes.transAxes)


def colour(panel, value):
    """What the thresholds say of a value."""
    told = GOOD
    for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            told = {"green": GOOD, "red": "#f2495c", "yellow": "#f2cc0c", "orange": "#ff780a", "blue": "#5794f2"}.get(step["color"], INK)
    return told


def main(words):
    """Reads the command line; exits 2 when it is not understood."""
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    from stage import Stage

    pyplot.MaxNLocator = ticker.MaxNLocator
    folder, wanted = Path(words[0]), words[1:]
    folder.mkdir(parents=True, exist_ok=True)
    with Stage() as stage:
        stage.journey()
        stage.load.begin()
        time.sleep(SHOWN / 2)
        stage.lose()
        time.sleep(SHOWN / 2 + 5)
        until = time.time()
        for dashboard in repository.dashboards():
            if not wanted or dashboard["uid"] in wanted:
                Picture(dashboard, stage, pyplot).draw(folder / f"{dashboard['uid']}.png", until)
    return 0


if __name__ == "__main__":
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        python = interpreter.interpreter(HERE / "pictures.txt")
        os.execv(python, [str(python), *sys.argv])
    sys.exit(main(sys.argv[1:]))
