# SPDX-License-Identifier: Apache-2.0
"""Where every node of a user's model went, and why one did not go into hardware."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from qnnc.compiler.building.optimize import import_model
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import lowering_passes
from qnnc.compiler.dataflow import Role, declaration, is_dataflow
from qnnc.compiler.errors import QnncError
from qnnc.compiler.ir.facts import HOST_PRE, part, reason, remedy, sources
from qnnc.compiler.passes.base import Pass, Reason
from qnnc.compiler.passes.host_boundary import RANKING
from qnnc.compiler.passes.manager import PassRun
from qnnc.compiler.passes.remove_channels import RemoveChannels
from qnnc.compiler.report import NodeOrigin, Place
from qnnc.compiler.rewrites import rewrite

DATAFLOW: Place = "dataflow"
PRE: Place = "host-pre"
POST: Place = "host-post"
FOLDED: Place = "folded"
OPEN: Place = "open"
BECAME = {
    Role.PRODUCT: "a product with constant weights",
    Role.CHANNEL_PRODUCT: "a product of each channel with constant weights",
    Role.DYNAMIC_PRODUCT: "a product of two streams",
    Role.SUM: "a sum of streams",
    Role.JOIN: "streams side by side",
    Role.POOL: "a sum or maximum over windows",
    Role.THRESHOLDS: "in the thresholds of integers",
    Role.SOFTMAX: "a softmax of codes",
    Role.LABELS: "the largest scores",
    Role.OTHER: "elements in another order or number",
}
"""What a node of the user's model is in hardware, by the first dataflow node that does it."""
DONE_ALREADY = {
    PRE: frozenset({rewrite("DFT")}),
    POST: frozenset({rewrite("Softmax"), rewrite("Hardmax")}),
}
"""What is not advised of nodes in a place: it is so, or labels are taken already."""


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
        self.gone: dict[str, Pass] = {}
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
            self.gone[name] = step
        self._present = present


def origins(model: ir.Model, trail: Trail, runs: Iterable[PassRun]) -> list[NodeOrigin]:
    """Where every node of the user's model is in a model of any stage."""
    found = {name: _Found() for name in trail.operators}
    runs = list(runs)
    reasons = _reasons_of([r for run in runs for r in run.reasons])
    labels = False
    for node in model.graph:
        labels |= node.op_type in RANKING
        for name in sources(node):
            if name in found:
                _note(found[name], node)
                if not is_dataflow(node) and reason(node):
                    reasons.setdefault(name, (reason(node), remedy(node)))
    removed = _reasons_of(
        [r for run in runs if run.name == RemoveChannels.name for r in run.reasons]
    )
    for name, where in found.items():
        if set(where.places) == {DATAFLOW}:
            texts = [BECAME[where.roles[0]], *where.notes]
            reasons[name] = "; ".join([*texts, *removed.get(name, ())[:1]]), ""
        elif not where.places and name in trail.gone:
            reasons[name] = trail.gone[name].folds, ""
    return [_origin(name, trail, where, reasons, labels) for name, where in found.items()]


@dataclass
class _Found:
    """Where a node of the user's model is: places and dataflow nodes, each once, in order."""

    places: dict[Place, None] = field(default_factory=dict)
    nodes: dict[str, None] = field(default_factory=dict)
    roles: list[Role] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _note(where: _Found, node: ir.Node) -> None:
    where.places[_place(node)] = None
    if is_dataflow(node):
        where.nodes[str(node.name)] = None
        where.roles.append(declaration(node).role)
        where.notes += _of_weights(node)


def _of_weights(node: ir.Node) -> list[str]:
    """A product's notes on its weights."""
    found = declaration(node)
    return found.notes(found.folding()) if found.reads() is not None else []


def _reasons_of(reasons: Sequence[Reason]) -> dict[str, tuple[str, str]]:
    """The last reason that a pass gave for each node of the user's model, and what helps, which
    a pass may have put after a semicolon."""
    found = {}
    for given in reasons:
        text, help_ = given.text, given.remedy
        if not help_:
            text, _, help_ = text.partition("; ")
        found.update(dict.fromkeys(given.sources, (text, help_)))
    return found


def _place(node: ir.Node) -> Place:
    if is_dataflow(node):
        return DATAFLOW
    where = part(node)
    if where is None:
        return OPEN
    return PRE if where == HOST_PRE else POST


def _origin(
    name: str,
    trail: Trail,
    where: _Found,
    reasons: dict[str, tuple[str, str]],
    labels: bool,
) -> NodeOrigin:
    operator = trail.operators[name]
    outside = [place for place in where.places if place != DATAFLOW]
    text, help_ = reasons.get(name, ("", ""))
    other = rewrite(operator)
    done = any(other in DONE_ALREADY.get(p, ()) and (p != POST or labels) for p in outside)
    if outside and not done and other not in help_:
        help_ = f"{help_}, or: {other}" if help_ else other
    gone = trail.gone.get(name)
    return NodeOrigin(
        node=name,
        op=operator,
        places=list(where.places) or [FOLDED],
        dataflow=list(where.nodes),
        folded_by="" if where.places or gone is None else gone.name,
        reason=text or _else(where.places),
        remedy=help_,
    )


def _else(places: Collection[Place]) -> str:
    """Why a node is where it is, of which no pass has said so."""
    if not places:
        return "what reads the model takes it in"
    return "only its form is left to the host" if DATAFLOW in places else ""


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
