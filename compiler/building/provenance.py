# SPDX-License-Identifier: Apache-2.0
"""Where every node of a user's model went, and why one did not go into hardware."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.building.optimize import import_model
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import lowering_passes
from qnnc.compiler.dataflow import declaration, is_dataflow
from qnnc.compiler.errors import QnncError
from qnnc.compiler.ir.facts import HOST_PRE, part, reason, sources
from qnnc.compiler.passes.base import Pass, Reason
from qnnc.compiler.passes.manager import PassRun
from qnnc.compiler.passes.remove_channels import RemoveChannels
from qnnc.compiler.report import NodeOrigin, Place
from qnnc.compiler.rewrites import rewrite

DATAFLOW: Place = "dataflow"
PRE: Place = "host-pre"
POST: Place = "host-post"
FOLDED: Place = "folded"
OPEN: Place = "open"


@dataclass(frozen=True)
class Answer:
    """What became of a model.

    Attributes:
        origins: of every node, in the model's order.
        error: why it is refused; empty if it is not.
    """

    origins: list[NodeOrigin]
    error: str


class Trail:
    """Watches passes to know which of them a node of the user's model has vanished in."""

    def __init__(self) -> None:
        self.operators: dict[str, str] = {}
        self.gone: dict[str, str] = {}
        self._present: set[str] = set()

    def start(self, model: ir.Model) -> None:
        """The model as imported: every node is its own source."""
        for node in model.graph:
            for name in sources(node):
                self.operators.setdefault(name, node.op_type)
        self._present = set(self.operators)

    def after(self, model: ir.Model, step: Pass, changed: bool, done: Sequence[str]) -> None:
        """Note which nodes of the user's model have vanished."""
        present = {name for node in model.graph for name in sources(node)}
        for name in self._present - present:
            self.gone[name] = step.name
        self._present = present


def origins(model: ir.Model, trail: Trail, runs: Iterable[PassRun]) -> list[NodeOrigin]:
    """Where every node of the user's model is in a model of any stage."""
    places: dict[str, dict[Place, None]] = {name: {} for name in trail.operators}
    nodes: dict[str, dict[str, None]] = {name: {} for name in trail.operators}
    runs = list(runs)
    reasons = _reasons_of([r for run in runs for r in run.reasons])
    notes: dict[str, list[str]] = {name: [] for name in trail.operators}
    for node in model.graph:
        for name in sources(node):
            if name not in places:
                continue
            places[name][_place(node)] = None
            if is_dataflow(node):
                nodes[name][str(node.name)] = None
                notes[name] += _of_weights(node)
            elif reason(node):
                reasons.setdefault(name, reason(node))
    removed = _reasons_of(
        [r for run in runs if run.name == RemoveChannels.name for r in run.reasons]
    )
    for name, texts in notes.items():
        if set(places[name]) == {DATAFLOW}:
            reasons[name] = "; ".join([*texts, *([removed[name]] if name in removed else [])])
    return [_origin(name, trail, list(places[name]), list(nodes[name]), reasons) for name in places]


def _of_weights(node: ir.Node) -> list[str]:
    """A product's notes on its weights."""
    found = declaration(node)
    return found.notes(found.folding()) if found.reads() is not None else []


def _reasons_of(reasons: Sequence[Reason]) -> dict[str, str]:
    """The last reason that a pass gave for each node of the user's model, with what helps."""
    return {
        name: f"{r.text}; {r.remedy}" if r.remedy else r.text for r in reasons for name in r.sources
    }


def _place(node: ir.Node) -> Place:
    if is_dataflow(node):
        return DATAFLOW
    where = part(node)
    if where is None:
        return OPEN
    return PRE if where == HOST_PRE else POST


def _origin(
    name: str, trail: Trail, places: list[Place], nodes: list[str], reasons: dict[str, str]
) -> NodeOrigin:
    operator = trail.operators[name]
    outside = [place for place in places if place != DATAFLOW]
    text = reasons.get(name, "")
    return NodeOrigin(
        node=name,
        op=operator,
        places=places or [FOLDED],
        dataflow=nodes,
        folded_by="" if places else trail.gone.get(name, ""),
        reason=text,
        remedy=rewrite(operator) if outside else "",
    )


def why(options: BuildOptions) -> Answer:
    """Lower a model, unverified, and say where every node went; a refused model too.

    Raises:
        QnncError: the model cannot even be read or declared.
    """
    trail = Trail()
    imported = import_model(options, watchers=[trail], golden=False, start=trail.start)
    error = ""
    try:
        passes = lowering_passes(options)
        imported.manager.run(imported.model, passes)
    except QnncError as refused:
        error = str(refused)
    return Answer(origins(imported.model, trail, imported.manager.runs), error)
