# SPDX-License-Identifier: Apache-2.0
"""From routing to a netlist: what reads back each kind of site."""

from __future__ import annotations

from qnnc.backends.bitstream.prove import blocks, slices
from qnnc.backends.bitstream.prove.cells import Extraction, Net, Site
from qnnc.backends.bitstream.prove.routing import Routing
from qnnc.backends.bitstream.prove.wires import SitePin
from qnnc.compiler.errors import VerificationError


def extraction(routing: Routing) -> Extraction:
    """The design that a routing connects; its `run` finds the cells."""
    return Extraction(routing, _output_net)


def _output_net(design: Extraction, pin: SitePin) -> Net | None:
    site = Site(pin.tile, pin.site, pin.kind)
    if pin.kind in ("SLICEL", "SLICEM"):
        return slices.output(design, site, pin.pin)
    if pin.kind == "PS7":
        return f"PS7.{pin.pin}"
    if pin.kind in ("BUFGCTRL", "BUFHCE"):
        return blocks.clock_buffer(design, site)
    if pin.kind in ("RAMB18E1", "FIFO18E1"):
        return blocks.block_ram(design, site, pin.pin)
    raise VerificationError(
        f"{pin.tile}: the design uses {pin.site}.{pin.pin} ({pin.kind}), which cannot be read back"
    )
