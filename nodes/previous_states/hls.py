# SPDX-License-Identifier: Apache-2.0
"""C++ of PreviousStates."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Header, Kernel, Table, cpp_type, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.nodes.previous_states.node import PreviousStates

HEADER = Header.beside(__name__, "previous_states.h")


class Hls(HlsNode[PreviousStates, Folding]):
    """`qnnc::previous_states_1` or `_2`, for as many states."""

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding()

    def kernel(self, folding: Folding) -> Kernel:
        node, arguments, tables = self.node, [], []
        for index, stream in enumerate(node.states):
            words = stream.shape[-1] // stream.lanes
            arguments += [cpp_type(stream.datatype), stream.lanes, words]
            rows = node.start(index).reshape(words, stream.lanes)
            tables.append(Table(f"start_{index}", stream.datatype, rows))
        name = template(f"previous_states_{len(tables)}", node.steps, *arguments)
        return Kernel(HEADER, name, node.ports(folding), tuple(tables))
