# SPDX-License-Identifier: Apache-2.0
"""C++ of NextStates."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import Folding
from qnnc.nodes.next_states.node import NextStates

HEADER = Header.beside(__name__, "next_states.h")


class Hls(HlsNode[NextStates, Folding]):
    """`qnnc::next_states_1` or `_2`, for as many states."""

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding()

    def kernel(self, folding: Folding) -> Kernel:
        ports = self.node.ports(folding)
        states = [
            "qnnc::" + template("next_state", x.datatype, y.datatype, y.lanes, y.words)
            for x, y in zip(ports.inputs, self.node.states, strict=True)
        ]
        return Kernel(HEADER, template(f"next_states_{len(states)}", *states), ports)
