# SPDX-License-Identifier: Apache-2.0
"""The netlist in the bits: cells, found from the processing system's pins backwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from qnnc.backends.bitstream.prove.features import Features
from qnnc.backends.bitstream.prove.routing import ONE, ZERO, Fault, Routing
from qnnc.backends.bitstream.prove.wires import SitePin
from qnnc.compiler.errors import VerificationError

Net = str
"""A constant, "PS7.PIN", or a cell's output: its name, a dot and its pin."""


@dataclass
class Cell:
    """A cell.

    Attributes:
        kind: LUT, FF, CARRY, MUX, RAM, SRL, RAMB18 or DSP48.
        name: tile, site and place in it.
        settings: its parameters.
        pins: nets at its inputs.
    """

    kind: str
    name: str
    settings: dict[str, int | str] = field(default_factory=dict)
    pins: dict[str, Net] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A site: its tile, its name relative to the tile, its type."""

    tile: str
    name: str
    kind: str

    @property
    def text(self) -> str:
        """As features name it, and cells."""
        return f"{self.tile}.{self.kind}_{self.name.rpartition('_')[2].partition('Y')[0]}"


class Extraction:
    """Cells that reach the processing system's pins.

    Args:
        output_net: the net that a site drives at one of its output pins.

    Attributes:
        routing: what is connected.
        cells: by name.
        outputs: nets at the processing system's inputs, by pin; those that nothing drives left
            out.
        buffers: what each clock buffer passes on.
        sources: output pins of sites at which each net leaves.
        faults: what cannot be read back, by pin; its net is an unknown one.
    """

    def __init__(
        self, routing: Routing, output_net: Callable[[Extraction, SitePin], Net | None]
    ) -> None:
        self.routing, self._output_net = routing, output_net
        self.cells: dict[str, Cell] = {}
        self.outputs: dict[str, Net] = {}
        self.buffers: dict[str, Net] = {}
        self.sources: dict[Net, set[SitePin]] = {}
        self.faults: dict[str, Fault] = {}
        self._waiting: deque[tuple[Cell, str, Site, str]] = deque()

    def run(self) -> None:
        """Find everything that can reach a pin of the processing system.

        Raises:
            VerificationError: something is used that cannot be read back.
        """
        tile = next((t for t in self.routing.wires.database.grid if t.startswith("PSS2")), None)
        if tile is None:
            raise VerificationError("the device has no processing system")
        for name, kind, pin in self.routing.wires.of(tile).wires:
            net = self.at(Site(tile, name, kind), pin) if kind == "PS7" else None
            if net is not None and net != f"PS7.{pin}":
                self.outputs[pin] = net
        while self._waiting:
            cell, pin, site, site_pin = self._waiting.popleft()
            net = self.at(site, site_pin)
            cell.pins[pin] = ONE if net is None else net
        for cell in self.cells.values():
            if cell.pins.pop("UPPER", ONE) != ONE:
                text = "the half of a LUT is chosen by a signal"
                self.faults.setdefault(cell.name, Fault("cell", cell.name, text))

    def settings(self, site: Site) -> Features:
        """Features of a slice."""
        prefix = site.text.partition(".")[2] + "."
        every = self.routing.settings.get(site.tile, {})
        return {n[len(prefix) :]: v for n, v in every.items() if n.startswith(prefix)}

    def at(self, site: Site, pin: str) -> Net | None:
        """The net at a site's input pin, or None if nothing drives it."""
        node = self.routing.wires.pin_node(site.tile, site.name, site.kind, pin)
        if node is None:
            return None
        source = self.routing.source(node)
        return source if source is None or isinstance(source, str) else self._output(source)

    def constant(self, site: Site, letter: str, index: int) -> str | None:
        """The constant at an input of a LUT, or None."""
        pin = f"{letter}{index + 1}"
        node = self.routing.wires.pin_node(site.tile, site.name, site.kind, pin)
        source = ONE if node is None else self.routing.source(node)
        return (ONE if source is None else source) if not isinstance(source, SitePin) else None

    def add(self, cell: Cell, site: Site, pins: dict[str, str]) -> None:
        """Add a cell whose inputs (cell's pin: site's pin) are followed later on."""
        self.cells[cell.name] = cell
        self._waiting.extend((cell, pin, site, there) for pin, there in pins.items())

    def _output(self, pin: SitePin) -> Net | None:
        try:
            net = self._output_net(self, pin)
        except VerificationError as error:
            name = f"{pin.tile}.{pin.site}.{pin.pin}"
            self.faults.setdefault(name, Fault("cell", name, str(error)))
            return f"unknown.{name}"
        if net is not None:
            self.sources.setdefault(net, set()).add(pin)
        return net


__all__ = ["ONE", "ZERO", "Cell", "Extraction", "Net", "Site"]
