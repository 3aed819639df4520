# SPDX-License-Identifier: Apache-2.0
"""What the tests of StreamingConcat run over, and what it computes, in numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.streaming_concat.node import StreamingConcat
from qnnc.nodes.testing import Case


def cases() -> list[Case]:
    """Two streams to five, of one type and of several."""
    return [
        concat(vectors=(1, 2, 2), channels=(2, 4), kinds=("INT4", "INT4"), simd=2),
        concat(vectors=(1, 3), channels=(3, 1, 2), kinds=("UINT2", "INT5", "BINARY"), simd=1),
        concat(vectors=(1,), channels=(4, 4, 4, 4, 8), kinds=("UINT3",) * 5, simd=4),
        concat(vectors=(1, 2), channels=(6, 3), kinds=("TERNARY", "UINT1"), simd=3),
    ]


def concat(
    *, vectors: tuple[int, ...], channels: Sequence[int], kinds: Sequence[str], simd: int = 1
) -> Case:
    """A StreamingConcat of streams [*vectors, channels]."""
    types = [DataType[kind] for kind in kinds]
    out = smallest_type(min(int(t.min()) for t in types), max(int(t.max()) for t in types))
    new = StreamingConcat.create(channels=channels, x=types, out=out, vectors=vectors)
    inputs = tuple((t, (*vectors, c)) for t, c in zip(types, channels, strict=True))
    outputs = ((out, (*vectors, sum(channels))),)
    return Case(new, inputs, outputs, _joined, {"SIMD": simd})


def _joined(*parts: IntArray) -> list[IntArray]:
    return [np.concatenate(parts, axis=-1)]
