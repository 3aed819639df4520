# SPDX-License-Identifier: Apache-2.0
"""A node's folding choices with their cost, the useless ones left out."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from qnnc.compiler.dataflow import DataflowNode, Folding
from qnnc.compiler.folding.by_hand import Fixed, keeps
from qnnc.compiler.resources import Resources

FREE: Fixed = {}
FAR = 32
"""How many times faster than the goal a layer with its weights in the logic, however small, is not
looked at."""


@dataclass(frozen=True)
class Option:
    """One folding of one node; `memory_bytes` per frame come from off-chip memory."""

    folding: Folding
    cycles: int
    resources: Resources
    lanes_in: tuple[int, ...]
    lanes_out: tuple[int, ...]
    memory_bytes: float = 0.0


def options_of(
    node: DataflowNode,
    max_cycles: int | None = None,
    fixed: Fixed = FREE,
    *,
    in_logic: bool = True,
    hurry: float = 1.0,
) -> list[Option]:
    """Foldings of at most `max_cycles` cycles of which none is beaten in everything by another
    with the same streams.

    Args:
        fixed: attributes that are given.
        in_logic: weights may be part of the logic.
        hurry: times which the node's cycles count.
    """
    groups: defaultdict[tuple[tuple[int, ...], tuple[int, ...]], list[Option]]
    groups = defaultdict(list)
    for folding in node.foldings():
        if not keeps(folding, fixed) or (node.in_logic(folding) and not in_logic):
            continue
        cycles = math.ceil(node.cycles(folding) * hurry)
        if max_cycles is not None and cycles > max_cycles:
            continue
        if max_cycles is not None and node.in_logic(folding) and cycles * FAR < max_cycles:
            continue
        ports = node.ports(folding)
        lanes_in = tuple(stream.lanes for stream in ports.inputs)
        lanes_out = tuple(stream.lanes for stream in ports.outputs)
        option = Option(
            folding,
            cycles,
            node.resources(folding),
            lanes_in,
            lanes_out,
            node.weight_bytes(folding),
        )
        groups[lanes_in, lanes_out].append(option)
    return [option for group in groups.values() for option in _undominated(group)]


def _undominated(group: list[Option]) -> list[Option]:
    kept: list[Option] = []
    for option in sorted(group, key=_key):
        if not any(_beats(other, option) for other in kept):
            kept.append(option)
    return kept


def _key(option: Option) -> tuple[float, ...]:
    r = option.resources
    return (option.cycles, r.LUT, r.BRAM18, r.DSP, option.memory_bytes)


def _beats(one: Option, other: Option) -> bool:
    return all(a <= b for a, b in zip(_key(one), _key(other), strict=True))
