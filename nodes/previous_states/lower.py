# SPDX-License-Identifier: Apache-2.0
"""StateRead becomes PreviousStates."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.ir.operators.states import READ
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.previous_states.node import PreviousStates
from qnnc.nodes.shared.states.lower import emit, recurrence_of

MOST_STATES = 2
"""As the C++ has it."""


def read(streams: Streams) -> None:
    """A stream for each state."""
    count = len(streams.node.outputs)
    if count > MOST_STATES:
        raise streams.error(f"a recurrence of {count} states; {MOST_STATES} are the most")
    found = recurrence_of(streams)
    starts = list(streams.node.inputs[1:])
    emit(streams, PreviousStates.create(recurrence=found), starts, found, copies=1)


LOWERINGS: Mapping[str, Lowering] = {READ: read}
