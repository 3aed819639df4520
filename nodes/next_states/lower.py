# SPDX-License-Identifier: Apache-2.0
"""StateWrite becomes NextStates."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.ir.operators.states import WRITE
from qnnc.compiler.lowering import Lowering
from qnnc.compiler.lowering.streams import Streams
from qnnc.nodes.next_states.node import NextStates
from qnnc.nodes.shared.states.lower import emit, recurrence_of


def write(streams: Streams) -> None:
    """A stream for each state, and one back."""
    found = recurrence_of(streams)
    inputs = [streams.plain(streams.source(i)) for i in range(len(found.channels))]
    types = [streams.fact(x).type for x in inputs]
    emit(streams, NextStates.create(recurrence=found, x=types), inputs, found, copies=2)


LOWERINGS: Mapping[str, Lowering] = {WRITE: write}
