# SPDX-License-Identifier: Apache-2.0
"""Options that no best choice needs, left out before the program is made.

An option may give way to another of its node if that one is no dearer in any resource even with
the dearest width converters that it can bring about: for every width at the other end of a stream,
the converter that it needs there less the one that is saved. So whatever the other nodes choose, a
choice with the one is at least as good with the other. With loose targets hardly more than the
small foldings of a node are left, and the variables for pairs of widths go with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.dataflow.width_conversion import converter_cycles, converter_resources
from qnnc.compiler.folding.options import Option
from qnnc.compiler.resources import RESOURCE_NAMES, Resources

Table = NDArray[np.float64]
RIVALS = 24
"""Of a node's options, the cheapest: those that others are held against."""
ROUNDS = 3
"""With fewer widths at the other ends more options give way."""


@dataclass(frozen=True)
class Link:
    """A stream between two nodes.

    Attributes:
        source: number of the producing node, and its port.
        target: number of the consuming node, and its port.
        elements: elements per frame.
        bits: bits per element.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    elements: int
    bits: int


def pruned(
    options: Sequence[Sequence[Option]],
    links: Sequence[Link],
    max_cycles: int,
    prices: Resources,
    frame_bytes: Sequence[Callable[[Option], Sequence[float]]],
) -> list[list[Option]]:
    """The options without those that give way to others.

    Args:
        options: of each node, all within `max_cycles`.
        prices: of one of each resource; the cheapest options are tried as those that others give
            way to.
        frame_bytes: for each node what an option of it moves between memory and the accelerator,
            stream by stream.
    """
    kept = [list(node) for node in options]
    for _ in range(ROUNDS):
        before = sum(map(len, kept))
        ends: list[list[_End]] = [[] for _ in options]
        for link in links:
            (source, gives), (target, takes) = link.source, link.target
            widths = [{o.lanes_in[takes] for o in kept[target]}]
            widths += [{o.lanes_out[gives] for o in kept[source]}]
            ends[source].append(_End(link, gives, True, tuple(sorted(widths[0]))))
            ends[target].append(_End(link, takes, False, tuple(sorted(widths[1]))))
        # one node after the other: what another gives way to must still be there
        for index, around in enumerate(ends):
            kept[index] = _undominated(kept[index], around, max_cycles, prices, frame_bytes[index])
        if sum(map(len, kept)) == before:
            break
    return kept


@dataclass(frozen=True)
class _End:
    """A stream of a node, and what may be at its other end.

    Attributes:
        link: the stream.
        port: of the node.
        gives: the node is its source.
        widths: lanes that the other node may have.
    """

    link: Link
    port: int
    gives: bool
    widths: tuple[int, ...]

    def more(self, options: Sequence[Option], rivals: list[int], max_cycles: int) -> Table:
        """What converters cost more, [options, rivals, resources], if an option gives way to a
        rival, whatever is at the other end; inf if a width there would be lost."""
        lanes = [(o.lanes_out if self.gives else o.lanes_in)[self.port] for o in options]
        distinct, which = np.unique(lanes, return_inverse=True)
        own = tuple(distinct.tolist())
        costs, cycles = _converters(
            self.link.bits, self.link.elements, own, self.widths, self.gives
        )
        costs = np.where((cycles <= max_cycles)[..., None], costs, np.inf)
        theirs, place = np.unique(which[rivals], return_inverse=True)
        with np.errstate(invalid="ignore"):
            dearer = costs[theirs][None] - costs[:, None]
        dearer[np.isnan(dearer)] = 0.0  # neither can do with that width
        found: Table = dearer.max(axis=2)[which[:, None], place]
        return found


@lru_cache(maxsize=2048)
def _converters(
    bits: int, elements: int, own: tuple[int, ...], widths: tuple[int, ...], gives: bool
) -> tuple[Table, Table]:
    """Resources [own, widths, resources] and cycles per frame [own, widths] of converters."""
    pairs = [(a, b) if gives else (b, a) for a in own for b in widths]
    costs = [_vector(converter_resources(bits, *pair)) for pair in pairs]
    cycles = [0 if p == q else converter_cycles(elements, p, q) for p, q in pairs]
    shape = len(own), len(widths)
    return np.array(costs).reshape(*shape, -1), np.array(cycles, np.float64).reshape(shape)


def _vector(resources: Resources) -> Table:
    return np.array([getattr(resources, name) for name in RESOURCE_NAMES], dtype=np.float64)


def _undominated(
    options: list[Option],
    ends: Sequence[_End],
    max_cycles: int,
    prices: Resources,
    frame_bytes: Callable[[Option], Sequence[float]],
) -> list[Option]:
    used = np.array([[*_vector(o.resources), o.memory_bytes, *frame_bytes(o)] for o in options])
    count = len(RESOURCE_NAMES)
    price = used[:, :count] @ _vector(prices)
    order = np.lexsort((np.arange(len(options)), used[:, count], price))
    rivals = order[:RIVALS].tolist()
    most = np.repeat(used[rivals][None], len(options), axis=0)
    with np.errstate(invalid="ignore"):
        for end in ends:
            most[..., :count] += end.more(options, rivals, max_cycles)
        no_dearer = np.all(most <= used[:, None], axis=2)
    rank = np.empty(len(options), dtype=np.int64)
    rank[order] = np.arange(len(options))
    gives_way = (no_dearer & (rank[rivals][None] < rank[:, None])).any(axis=1)
    return [option for option, out in zip(options, gives_way, strict=True) if not out]
