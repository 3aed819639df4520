# SPDX-License-Identifier: Apache-2.0
"""C++ of a QuantSoftmax."""

from __future__ import annotations

from collections.abc import Sequence

from qonnx.core.datatype import DataType

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, Table, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.nodes.quant_softmax.node import QuantSoftmax

HEADER = Header.beside(__name__, "quant_softmax.h")


class Hls(HlsNode[QuantSoftmax, PEFolding]):
    """`qnnc::quant_softmax`, with a table of terms and one of scaled terms."""

    def widest(self, arriving: Sequence[Stream]) -> PEFolding:
        return PEFolding(PE=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: PEFolding) -> Kernel:
        node = self.node
        tables = node.exponents.tables[:, : node.distances]
        kinds = [DataType[f"UINT{bits}"] for bits in (node.term_bits, node.scaled_bits)]
        name = template(
            "quant_softmax",
            node.x_type,
            *kinds,
            node.out_type,
            node.channels,
            folding.PE,
            node.vectors,
            node.distances,
            node.rounding,
            node.most,
            node.base,
        )
        words = tuple(
            Table(word, kind, table.reshape(-1, 1))
            for word, kind, table in zip(("term", "scaled"), kinds, tables, strict=True)
        )
        return Kernel(HEADER, name, node.ports(folding), words)
