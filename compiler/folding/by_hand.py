# SPDX-License-Identifier: Apache-2.0
"""Which node each setting of a folding by hand is for, and whether the node can do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from qnnc.compiler.dataflow import DataflowNode, Folding, Role
from qnnc.compiler.dataflow.legality import FREE
from qnnc.compiler.errors import OptionError, quote
from qnnc.compiler.folding.finn_names import FinnNames
from qnnc.compiler.folding.settings import Setting, Value
from qnnc.compiler.ir.facts import sources
from qnnc.compiler.plugins import close_matches

Fixed = Mapping[str, Value]
"""Attributes of one node that are not the solver's to choose."""
MAIN = (
    {Role.PRODUCT, Role.CHANNEL_PRODUCT, Role.DYNAMIC_PRODUCT},
    {Role.POOL, Role.SUM, Role.JOIN, Role.LABELS},
    {Role.THRESHOLDS},
)
"""Which of a layer's nodes compute it: the first kind that it has."""
MOST_SHOWN = 24
OPERATOR, LAYER, NODE = range(3)
"""How particular a name is; the more particular one holds."""


def attributes_of(node: DataflowNode) -> tuple[str, ...]:
    """What can be set by hand."""
    return tuple(name for name in node.folding_names() if name not in FREE)


def folding_of(node: DataflowNode) -> dict[str, Value]:
    """What of its attributes is now, those left out of which there is only one choice."""
    folding, possible = node.folding(), list(node.foldings())
    names = (name for name in attributes_of(node) if len(_legal(possible, name)) > 1)
    return {name: getattr(folding, name) for name in names}


def keeps(folding: Folding, fixed: Fixed) -> bool:
    """Whether a folding is as it is asked for."""
    return all(getattr(folding, name) == value for name, value in fixed.items())


@dataclass
class _Node:
    """A node and what was asked of it: attribute -> value, how strongly, and by whom."""

    node: DataflowNode
    asked: dict[str, tuple[tuple[int, int], Value, str]] = field(default_factory=dict)

    def ask(self, setting: Setting, particular: int) -> None:
        rank = (particular, int(setting.strong))
        by = f"{setting.where}, {quote(setting.name)}"
        for name, value in setting.values.items():
            known = self.asked.get(name)
            if known is not None and known[0] == rank and known[1] != value:
                raise OptionError(
                    f"node {quote(self.node.name)}: {by} asks for {name}={value}, and {known[2]} "
                    f"for {name}={known[1]}"
                )
            if known is None or known[0] <= rank:
                self.asked[name] = (rank, value, by)


def resolve(nodes: Sequence[DataflowNode], settings: Iterable[Setting]) -> tuple[list[Fixed], str]:
    """What is asked of each node, and what of it is FINN's and left out; empty if nothing is.

    Raises:
        OptionError: a name that is not in the network, or a value that its node cannot have;
            lists those that it can.
    """
    found = [_Node(node) for node in nodes]
    asked = list(settings)
    finn, left_out = FinnNames(nodes, asked), set[str]()
    for setting in asked:
        places, particular = _named(nodes, setting)
        if not places and finn.knows(setting.name):
            places, setting, ignored = finn.translated(setting)
            left_out.update(ignored)
            particular = LAYER if setting.operator else NODE
        elif not places:
            _unknown(nodes, setting)
        for place in places:
            found[place].ask(setting, particular)
    fixed: list[Fixed] = []
    for one in found:
        values = {name: value for name, (_, value, _) in one.asked.items()}
        for name, (_, _, by) in one.asked.items():
            _check_attribute(one.node, name, by)
        if values:
            _check(one.node, values, {name: by for name, (_, _, by) in one.asked.items()})
        fixed.append(values)
    return fixed, ", ".join(sorted(left_out))


def _named(nodes: Sequence[DataflowNode], setting: Setting) -> tuple[list[int], int]:
    """The nodes that a setting is for, and how particular its name is."""
    name = setting.name
    exact = [i for i, node in enumerate(nodes) if node.name == name]
    if exact and not setting.operator:
        return exact, NODE
    layer = [i for i, node in enumerate(nodes) if name in sources(node.node)]
    if layer and setting.operator:
        inside = [i for i in layer if nodes[i].op_type == setting.operator]
        if not inside:
            known = ", ".join(dict.fromkeys(nodes[i].op_type for i in layer))
            raise OptionError(
                f"{setting.where}: layer {quote(name)} has no {quote(setting.operator)} ({known})"
            )
        return inside, LAYER
    if layer:
        for roles in MAIN:
            main = [i for i in layer if nodes[i].role in roles]
            if main:
                return main, LAYER
        return layer, LAYER
    if setting.operator:
        return [], OPERATOR
    return [i for i, node in enumerate(nodes) if node.op_type == name], OPERATOR


def _unknown(nodes: Sequence[DataflowNode], setting: Setting) -> NoReturn:
    layers = dict.fromkeys(name for node in nodes for name in sources(node.node))
    known = [*layers, *(node.name for node in nodes), *dict.fromkeys(n.op_type for n in nodes)]
    close = close_matches(setting.name, known)
    listed = ", ".join(
        f"{name} ({count})" if count > 1 else name
        for name, count in Counter(node.op_type for node in nodes).items()
    )
    raise OptionError(
        f"{setting.where} names {quote(setting.name)}, which is neither a layer nor a node of the "
        f"accelerator{close} (qnnc why lists them; operators: {listed})"
    )


def _check_attribute(node: DataflowNode, name: str, by: str) -> None:
    known = attributes_of(node)
    if name not in known:
        listed = f"it has {', '.join(known)}" if known else "it has none that can be chosen"
        raise OptionError(
            f"{by}: node {quote(node.name)} ({node.op_type}) has no {quote(name)}"
            f"{close_matches(name, list(known))} ({listed})"
        )


def _check(node: DataflowNode, values: Fixed, by: Mapping[str, str]) -> None:
    """Refuse what the node cannot do, with what it can."""
    possible = list(node.foldings())
    chosen: list[str] = []
    for name, value in values.items():
        alone = _legal(possible, name)
        legal = [v for v in alone if type(v) is type(value) and v == value]
        if not legal:
            given = f"with {' and '.join(chosen)}, " if chosen and value in _all(node, name) else ""
            raise OptionError(
                f"{by[name]}: {given}{name} of node {quote(node.name)} ({node.op_type}) cannot be "
                f"{_listed([value])[:60]}; it can be {_listed(alone)}"
            )
        possible = [folding for folding in possible if getattr(folding, name) == value]
        chosen.append(f"{name}={value}")


def _all(node: DataflowNode, name: str) -> list[Value]:
    return _legal(list(node.foldings()), name)


def _legal(possible: Sequence[Folding], name: str) -> list[Value]:
    return sorted({getattr(folding, name) for folding in possible})


def _listed(values: Sequence[Value]) -> str:
    shown = [str(value) for value in values]
    if len(shown) > MOST_SHOWN:
        shown = [*shown[: MOST_SHOWN - 1], "…", shown[-1]]
    return ", ".join(shown)
