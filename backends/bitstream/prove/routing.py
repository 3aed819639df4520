# SPDX-License-Identifier: Apache-2.0
"""What drives what: pips that are on, joined to nets over the device's wires."""

from __future__ import annotations

from dataclasses import dataclass, field

from qnnc.backends.bitstream.prove.features import Features
from qnnc.backends.bitstream.prove.wires import Pip, SitePin, Wires

ZERO, ONE = "0", "1"
Source = SitePin | str
"""An output pin of a site, or a constant."""

_TIED = {"HARD0": ZERO, "HARD1": ONE}
_WHOLE_RAM = "BRAM_FIFO36_"
"""Wires of a block RAM taken whole; they touch the same wires as those of its halves."""


@dataclass
class Fault:
    """Something in the bits that is wrong.

    Attributes:
        kind: of fault, one word or two.
        where: tile, and wire, site or bit.
        what: a sentence.
        net: of the design, where it is known.
        check: that found it.
    """

    kind: str
    where: str
    what: str
    net: str = ""
    check: str = ""


@dataclass
class Routing:
    """The pips that are on.

    Attributes:
        wires: of the device.
        pips: that are on, by the node that they drive.
        settings: features of each tile that are not pips.
        faults: nodes with two drivers, pips that nothing drives.
    """

    wires: Wires
    pips: dict[int, list[Pip]] = field(default_factory=dict)
    settings: dict[str, Features] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    _sources: dict[int, Source | None] = field(default_factory=dict)

    @classmethod
    def of(cls, wires: Wires, tiles: dict[str, Features]) -> Routing:
        """Sort features into pips and settings."""
        routing = cls(wires)
        for tile, features in tiles.items():
            known = wires.of(tile).pips
            for name, value in features.items():
                target, dot, source = name.partition(".")
                if dot and (target, source) in known:
                    pip = Pip(tile, target, source)
                    routing.pips.setdefault(wires.node(tile, target), []).append(pip)
                else:
                    routing.settings.setdefault(tile, {})[name] = value
        routing._check()
        return routing

    @property
    def count(self) -> int:
        """How many pips are on."""
        return sum(map(len, self.pips.values()))

    def source(self, node: int) -> Source | None:
        """What a node's value comes from; None if nothing drives it."""
        way = []
        found: Source | None = None
        while node not in self._sources:
            way.append(node)
            self._sources[node] = None  # a loop drives nothing
            step = self.driver(node)
            if not isinstance(step, Pip):
                found = step
                break
            node = self.wires.node(step.tile, step.source)
        else:
            found = self._sources[node]
        for passed in way:
            self._sources[passed] = found
        return found

    def driver(self, node: int) -> Pip | Source | None:
        """The one thing that drives a node: a pip, a site's pin, a constant, or nothing."""
        on = self.pips.get(node)
        if on:
            return on[0]
        for pin in self.wires.outputs(node):
            if pin.kind == "TIEOFF":
                return _TIED[pin.pin]
            return pin
        always = self.wires.always(node)
        if len(always) > 1:
            halves = [pip for pip in always if not pip.source.startswith(_WHOLE_RAM)]
            always = halves or always
        if always:
            return always[0]
        return ONE if self.wires.reads_one(node) else None

    def _check(self) -> None:
        for node, on in self.pips.items():
            others = [pip for pip in on[1:] if pip != on[0]]
            pins = [pin for pin in self.wires.outputs(node) if pin.kind != "TIEOFF"]
            if others or pins:
                names = [f"{p.tile}.{p.target}.{p.source}" for p in (on[0], *others)]
                names += [f"{p.tile}.{p.site}.{p.pin}" for p in pins]
                self.faults.append(
                    Fault(
                        "two drivers",
                        f"{on[0].tile}.{on[0].target}",
                        f"this wire is driven by {' and '.join(names)}",
                    )
                )
        for node, on in self.pips.items():
            if self.source(node) is None:
                self.faults.append(
                    Fault(
                        "no driver",
                        f"{on[0].tile}.{on[0].target}",
                        f"nothing drives {on[0].source}, which this wire takes its value from",
                    )
                )
