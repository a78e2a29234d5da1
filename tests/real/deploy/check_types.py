"""The dashboards against Grafana's own types: @grafana/schema by the TypeScript compiler, and a round trip through its Python SDK.

Both are of the release that docker-compose.yml runs. The compiler finds unknown keys and wrong words, the round trip what the SDK drops.
"""

import json

import boards
import node
import yaml
from cache import REPOSITORY

# The modules of the options of each kind of panel.
KINDS = {
    "timeseries": ("timeseries", "TimeSeries"),
    "stat": ("stat", "Stat"),
    "state-timeline": ("statetimeline", "StateTimeline"),
    "heatmap": ("heatmap", "Heatmap"),
    "table": ("table", "Table"),
    "logs": ("logs", "Logs"),
}
WITH_FIELDS = {"timeseries", "state-timeline", "heatmap"}
LOKI = "@grafana/schema/dist/esm/raw/composable/loki/dataquery/x/LokiDataQuery_types.gen"
HEAD = """
import type { Dashboard, DataQuery, DataSourceRef, Panel, RowPanel } from "@grafana/schema";
import type { LokiDataQuery } from "LOKI";
// Prometheus' queries have left the package: this is what its data source reads.
interface PrometheusDataQuery extends DataQuery {
  editorMode?: "code" | "builder"; exemplar?: boolean; expr: string; format?: "time_series" | "table" | "heatmap"; instant?: boolean;
  interval?: string; intervalFactor?: number; legendFormat?: string; range?: boolean;
}
// The package says that a panel's links are a dashboard's; Grafana writes data links there.
type Inner = Omit<Panel, "links"> & { links?: Array<{ title: string; url: string; targetBlank?: boolean }> };
// Enumerations are words in JSON: each becomes the union of its words.
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer Each> ? Array<Plain<Each>> : T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T;
""".replace("LOKI", LOKI)


def literal(value):
    """A value as TypeScript."""
    return json.dumps(value, ensure_ascii=False)


def imports():
    """The types of panels' options and of queries."""
    places = [f'import type * as {short} from "@grafana/schema/dist/esm/raw/composable/{folder}/panelcfg/x/{name}PanelCfg_types.gen";'
              for short, (folder, name) in ((short.replace("-", "_"), place) for short, place in KINDS.items())]
    return "\n".join(places)


def program_of(board):
    """A dashboard as declarations, one for each part that has a type."""
    panels = board["panels"]
    told = [HEAD, imports()]
    told.append(f"const board: Plain<Omit<Dashboard, 'panels'>> = {literal({key: value for key, value in board.items() if key != 'panels'})};")
    for panel in panels:
        kind = "RowPanel" if panel["type"] == "row" else "Inner"
        told.append(f"const panel_{panel['id']}: Plain<{kind}> = {literal(panel)};")
        if panel["type"] != "row":
            told += parts(panel)
    return "\n".join(told) + "\nexport {};\n"


def parts(panel):
    """Options, fields and queries of a panel."""
    number, kind = panel["id"], panel["type"]
    short = kind.replace("-", "_")
    yield f"const options_{number}: Plain<Partial<{short}.Options>> = {literal(panel['options'])};"
    if kind in WITH_FIELDS:
        yield f"const custom_{number}: Plain<Partial<{short}.FieldConfig>> = {literal(panel['fieldConfig']['defaults']['custom'])};"
    for target in panel["targets"]:
        source = target["datasource"]["type"]
        # What the datasource is has a type of its own.
        asked = {key: value for key, value in target.items() if key != "datasource"}
        yield f"const query_{number}_{target['refId']}: Plain<{source.title()}DataQuery> = {literal(asked)};"
        yield f"const source_{number}_{target['refId']}: DataSourceRef = {literal(target['datasource'])};"


def compiled(folder, programs, place):
    """What the compiler says to these programs."""
    for name, text in programs.items():
        (place / f"{name}.ts").write_text(text)
    (place / "node_modules").symlink_to(folder / "node_modules")
    options = {"strict": True, "noEmit": True, "skipLibCheck": True, "moduleResolution": "node", "module": "esnext", "target": "es2022", "types": []}
    (place / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": [f"{name}.ts" for name in programs]}))
    compiler = folder / "node_modules/typescript/bin/tsc"
    try:
        node.run(["node", str(compiler), "--project", str(place)], folder)
    except RuntimeError as refused:
        return str(refused)
    return ""


def test_they_have_the_types_of_grafana(grafana_types, tmp_path):
    """With one more that has a wrong key, a wrong word and a wrong query, to see that those are seen."""
    wrong = json.loads(literal(boards.dashboards()["gateway-overview"]))
    panel = next(each for each in wrong["panels"] if each["type"] == "timeseries")
    panel["gridPoss"] = panel["gridPos"]
    panel["options"]["legend"]["displayMode"] = "lists"
    panel["targets"][0]["legendFormatt"] = ""
    programs = {name: program_of(board) for name, board in boards.dashboards().items()}
    said = compiled(grafana_types, {**programs, "wrong": program_of(wrong)}, tmp_path)
    errors = [line for line in said.splitlines() if "error TS" in line]
    assert [line for line in errors if "wrong.ts" not in line] == []
    for word in ("gridPoss", '"lists"', "legendFormatt"):
        assert any(word in line for line in errors), said


def test_the_sdk_gives_them_back():
    """What it drops or changes is a key that Grafana does not know; it adds defaults, which is no matter."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    for name, board in boards.dashboards().items():
        given = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
        assert list(differences(board, given, name)) == []


def test_the_sdk_drops_what_grafana_does_not_know():
    """Tests the test."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    board = json.loads(literal(boards.dashboards()["gateway-overview"])) | {"refreshh": "10s"}
    given = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    assert list(differences(board, given, "board")) == ["board.refreshh"]


def differences(ours, given, path):
    """The paths of ours that came back otherwise."""
    if isinstance(ours, dict) and isinstance(given, dict):
        for key, value in ours.items():
            if key not in given:
                # What is empty may be left out; a number that is 0 may not.
                if value or (value == 0 and value is not False):
                    yield f"{path}.{key}"
            else:
                yield from differences(value, given[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(given, list) and len(ours) == len(given):
        for index, (left, right) in enumerate(zip(ours, given)):
            yield from differences(left, right, f"{path}[{index}]")
    elif ours != given:
        yield path


def test_the_types_are_of_the_grafana_that_runs():
    image = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]["grafana"]["image"]
    running = image.rpartition(":")[2]
    wanted = json.loads((REPOSITORY / "tests/real/deploy/node/package.json").read_text())["dependencies"]["@grafana/schema"]
    assert wanted == running
    pinned = (REPOSITORY / "tests/real/deploy/requirements.txt").read_text()
    assert f"!{running.rpartition('.')[0]}." in pinned
