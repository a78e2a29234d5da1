"""Kinds of panels, and a dashboard of them laid out from left to right and from top to bottom.

A panel is asked for by title, unit, words and queries; a query is `(expression, legend)`. Nothing here knows what
Sluice measures.
"""

COLUMNS = 24
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LOKI = {"type": "loki", "uid": "loki"}
GREEN = {"color": "green", "value": None}
RED = {"color": "red", "value": None}
SCHEMA = 39


def at_least(bound):
    """Red below a bound."""
    return [RED, {"color": "green", "value": bound}]


def at_most(orange, red, first="orange"):
    """Green, then a warning, then red."""
    return [GREEN, {"color": first, "value": orange}, {"color": "red", "value": red}]


def lines(title, unit, words, *queries, stacked=False, width=8, steps=None, leads=()):
    """Lines over time."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if steps else "off"},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, unit, words, queries, width, custom, options, steps, leads)


def number(title, unit, words, *queries, width=4, steps=None, leads=(), text="auto"):
    """The last value, large."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if steps else "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": text,
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return panel("stat", title, unit, words, queries, width, {}, options, steps, leads)


def timeline(title, words, *queries, names, width=12):
    """States over time, each value with its word and colour."""
    custom = {"fillOpacity": 80, "lineWidth": 0}
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    made = panel("state-timeline", title, "none", words, queries, width, custom, options, None, ())
    words_of = {str(value): {"text": text, "color": color, "index": value} for value, (text, color) in enumerate(names)}
    made["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": words_of}]
    return made


def heatmap(title, unit, words, query, width=12):
    """How a histogram's buckets fill over time."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "exponent": 0.5, "steps": 64, "reverse": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    made = panel("heatmap", title, unit, words, [(query, "{{le}}")], width, {}, options, None, ())
    made["targets"][0]["format"] = "heatmap"
    return made


def table(title, words, query, width=12, leads=()):
    """The series of this moment, one in a row."""
    options = {"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": [], "countRows": False}}
    made = panel("table", title, "none", words, [(query, "")], width, {}, options, None, leads)
    made["targets"][0].update({"format": "table", "instant": True, "range": False})
    return made


def logs(title, words, query, width=24):
    """Log lines, newest first."""
    options = {
        "dedupStrategy": "none",
        "enableLogDetails": True,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showTime": True,
        "sortOrder": "Descending",
        "wrapLogMessage": True,
    }
    made = panel("logs", title, "none", words, [], width, {}, options, None, ())
    made["datasource"] = LOKI
    made["targets"] = [{"refId": "A", "datasource": LOKI, "expr": query, "queryType": "range", "editorMode": "code"}]
    return made


def panel(kind, title, unit, words, queries, width, custom, options, steps, leads):
    """What all kinds have in common. A unit that is a time gets exemplars: each dot leads to a trace."""
    defaults = {
        "unit": unit,
        "color": {"mode": "thresholds" if steps else "palette-classic"},
        "custom": custom,
        "mappings": [],
        "thresholds": {"mode": "absolute", "steps": steps or [GREEN]},
    }
    if kind in ("timeseries", "stat"):
        defaults["min"] = 0
    if kind == "timeseries":
        # A line has the colour of its series; what is too much is a dashed line across.
        defaults["color"] = {"mode": "palette-classic"}
    return {
        "type": kind,
        "title": title,
        "description": words,
        "datasource": PROMETHEUS,
        "gridPos": {"x": 0, "y": 0, "w": width, "h": 5 if kind == "stat" else 8},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "links": [lead(*words) for words in leads],
        "targets": [target(index, query, unit == "s" and kind == "timeseries") for index, query in enumerate(queries)],
    }


def target(index, query, exemplars):
    """One query of a panel."""
    expression, legend = query
    return {
        "refId": "ABCDEFGH"[index],
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend,
        "range": True,
        "instant": False,
        "exemplar": exemplars and "_bucket" in expression,
    }


def lead(title, board):
    """Where a number leads: another dashboard, at the same time and for the same groups."""
    return {"title": title, "url": f"/d/{board}?${{__url_time_range}}&${{routing_group:queryparam}}", "targetBlank": False}


def dashboard(uid, title, words, sections, variables=()):
    """A dashboard of sections `(title, panels)`."""
    return {
        "uid": uid,
        "title": title,
        "description": words,
        "tags": ["sluice"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "title": "Sluice",
                "tags": ["sluice"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": [SOURCE, GROUPS, *variables]},
        "panels": laid_out(sections),
    }


def variable(name, label, query, pattern="", several=False):
    """A choice at the top of a dashboard, filled by a query."""
    made = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": "variable"},
        "regex": pattern,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        "hide": 0,
        "skipUrlSync": False,
        "options": [],
    }
    if several:
        made |= {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return made


SOURCE = {
    "name": "datasource",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "current": {"text": "Prometheus", "value": "prometheus"},
    "regex": "",
    "refresh": 1,
    "multi": False,
    "includeAll": False,
    "hide": 0,
    "skipUrlSync": False,
    "options": [],
}
GROUPS = variable("routing_group", "Routing group", "label_values(gateway_requests_total, routing_group)", several=True)


def laid_out(sections):
    """All panels with their ids and places: a heading for each section, then rows that are filled from the left."""
    placed, top = [], 0
    for title, panels in sections:
        placed.append(heading(title, top))
        top += 1
        for row in rows_of(panels):
            tallest, left = max(each["gridPos"]["h"] for each in row), 0
            for each in row:
                # As tall as the tallest beside it: no holes.
                size = {**each["gridPos"], "h": tallest}
                placed.append({**each, "gridPos": {**size, "x": left, "y": top}})
                left += size["w"]
            top += tallest
    return [{"id": index, **each} for index, each in enumerate(placed, 1)]


def rows_of(panels):
    """The panels of a section, row by row."""
    rows, left = [[]], 0
    for each in panels:
        width = each["gridPos"]["w"]
        if left + width > COLUMNS:
            rows.append([])
            left = 0
        rows[-1].append(each)
        left += width
    return rows


def heading(title, top):
    """A section's heading across the whole width."""
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1}, "panels": []}
