# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of FMPadding and FMPadding_Pixel: words of the image among words of filler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish, packed
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.nodes.shared.border.node import Border

TEMPLATES = Templates(__name__)


@dataclass(frozen=True)
class Axis:
    """Rows or columns of the output: which of them hold pixels of the image."""

    name: str
    count: int
    first: int
    end: int
    stride: int
    step: str

    @property
    def bits(self) -> int:
        """Bits of the counter."""
        return bits_for(self.count)

    @property
    def phase_bits(self) -> int:
        """Bits of the counter between two pixels."""
        return bits_for(self.stride)

    def inside(self) -> list[str]:
        """Conditions, all of which hold inside the image."""
        parts = []
        if self.first > 0:
            parts.append(f"({self.name} >= {self.first})")
        if self.end < self.count:
            parts.append(f"({self.name} < {self.end})")
        if self.stride > 1:
            parts.append(f"({self.name}_phase == 0)")
        return parts


def generate(node: Border) -> NodeRtl:
    """Counters over the output, and a multiplexer."""
    folding, (rows, columns) = node.folding(), node.out
    ranges = list(zip(node.out, node.first, node.end, node.apart, strict=True))
    axes = [
        Axis("column", *ranges[1], "step & pixel"),
        Axis("row", *ranges[0], "column_step & column_last"),
    ]
    bits = node.datatype.bitwidth()
    filler = packed(np.full((1, folding.SIMD), node.value), bits)[0]
    text = TEMPLATES.render(
        "border.sv.j2",
        about=f"{node.op_type}: {rows} x {columns} pixels of {node.channels} channels",
        width=folding.SIMD * bits,
        words=node.channels // folding.SIMD,
        axes=axes,
        inside=" & ".join(part for axis in axes for part in axis.inside()) or "1'b1",
        filler=f"{folding.SIMD * bits}'h{filler:x}",
    )
    return finish(node, text)
