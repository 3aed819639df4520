# SPDX-License-Identifier: Apache-2.0
"""Shuffle in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer


class Finn(ToFinn):
    """A transpose between reshapes."""

    attributes = (
        "data_type transpose_in_shape in_shape transpose_out_shape out_shape perm SIMD NumChannels"
    )


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Shuffle: a transpose between reshapes."""
    apart, after = (
        writer.constant(node.integers(name), np.int64)
        for name in ("transpose_in_shape", "out_shape")
    )
    x = writer.op("Reshape", writer.value(node.inputs[0]), apart)
    moved = writer.op("Transpose", x, perm=node.integers("perm"))
    writer.op("Reshape", moved, after, output=node.outputs[0])


READERS: Mapping[str, Reader] = {"Shuffle": read}
