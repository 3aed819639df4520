# SPDX-License-Identifier: Apache-2.0
"""Which channels of a node's streams belong together, so that one cannot go without the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qnnc.compiler.ir.facts import IntArray

Kept = Sequence[IntArray]
"""Of each stream, the channels that are kept, ascending."""


@dataclass(frozen=True)
class ChannelLink:
    """Channels of an input and of an output of a node that are there together or not at all.

    Attributes:
        source: number of the input stream.
        target: number of the output stream.
        before: channels of the one: elements of its last dimension.
        after: for each of them, that of the other.
    """

    source: int
    target: int
    before: IntArray
    after: IntArray


def all_channels(count: int, inputs: int = 1, outputs: int = 1) -> list[ChannelLink]:
    """Channel c of every stream belongs to channel c of every other."""
    every = np.arange(count)
    return [ChannelLink(i, j, every, every) for i in range(inputs) for j in range(outputs)]


def repeated_channels(count: int, times: int, source: int = 0) -> list[ChannelLink]:
    """Channels of an input come `times` times over in the output."""
    after = np.arange(count * times)
    return [ChannelLink(source, 0, after % count, after)]
