# SPDX-License-Identifier: Apache-2.0
"""The page as text: one file that needs nothing else, whatever names the model has.

Every text is escaped by Jinja. What scripts read is JSON without a single `<`, and the
only script that a browser may run is the one whose digest the page names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import PurePath

import onnx_ir as ir
from markupsafe import Markup

from qnnc.compiler.errors import printable
from qnnc.compiler.page.charts import (
    confusion,
    lines,
    losses,
    outputs,
    shares,
    waiting,
    weights,
)
from qnnc.compiler.page.drawing import pictures
from qnnc.compiler.page.environment import environment, ours
from qnnc.compiler.page.graph import Graph, graph_of, inserted, layer_key
from qnnc.compiler.page.roofline import roofline
from qnnc.compiler.page.sections import (
    artifacts,
    coverage,
    figures,
    places,
    resource_bars,
    time_bars,
    timeline,
)
from qnnc.compiler.page.text import shortened
from qnnc.compiler.report import Report

PAGE = "report.html"
"""The file's name in a build's folder."""
LONGEST = 2000
"""Letters of a text among a node's details."""


def page(report: Report, model: ir.Model | None = None) -> str:
    """The page of a build.

    Args:
        report: as written to report.json.
        model: the IR as far as the build came, drawn where there is no dataflow graph yet.
    """
    graph = graph_of(report, model)
    script = ours("page.js")
    text: str = (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            name=PurePath(report.model).name or report.model,
            graph=graph,
            pictures=pictures(graph) if graph.boxes else [],
            figures=figures(report),
            times=time_bars(report),
            resources=resource_bars(report),
            stages=timeline([(s.name, s.seconds) for s in report.stages]),
            passes=timeline([(p.name, p.seconds) for p in report.passes]),
            places=places(report),
            coverage=coverage(report),
            confusion=confusion(report.accuracy),
            roof=roofline(report),
            shares=shares(report),
            lines=lines(report),
            waiting=waiting(report),
            outputs=outputs(report),
            weights=weights(report),
            losses=losses(report.quantization),
            keys={layer.name: layer_key(i) for i, layer in enumerate(report.layers)},
            inserted=inserted(report),
            artifacts=artifacts(report),
            style=Markup(ours("page.css")),  # noqa: S704
            script=Markup(script),  # noqa: S704
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=_data(graph),
        )
    )
    return text


def _data(graph: Graph) -> Markup:
    """What the script tells of a node once it is chosen, as JSON that ends no element."""
    up: dict[int, list[str]] = {}
    down: dict[int, list[str]] = {}
    for join in graph.joins:
        up.setdefault(join.target, []).append(graph.boxes[join.source].key)
        down.setdefault(join.source, []).append(graph.boxes[join.target].key)
    plain = {
        box.key: {
            "title": _clean(box.title),
            "rows": [[label, _clean(value)] for label, value in box.details],
            "notes": [_clean(note) for note in box.notes],
            "up": up.get(index, []),
            "down": down.get(index, []),
        }
        for index, box in enumerate(graph.boxes)
    }
    text = json.dumps(plain, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704


def _clean(text: str) -> str:
    return printable(shortened(text, LONGEST))
