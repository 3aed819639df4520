# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions become VVAU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import attribute
from qnnc.compiler.ir.facts import IntArray, Integer, set_integer
from qnnc.compiler.lowering.streams import (
    Streams,
)
from qnnc.nodes.convolution_input_generator.lower import windows
from qnnc.nodes.vvau.node import VVAU


def depthwise(
    streams: Streams, image: ir.Value, window: Window, values: IntArray, out: Sequence[int]
) -> ir.Value:
    """Products of a padded image with kernels [C, 1, KH, KW]."""
    node, weights = streams.node, streams.node.inputs[1]
    vectors = windows(streams, image, window)
    fact, w_fact = streams.fact(node.outputs[0]), streams.fact(weights)
    stored = streams.editor.initializer(
        f"{node.outputs[0].name}_kernels", values.astype(np.float32)
    )
    set_integer(stored, w_fact)
    made = VVAU.create(
        out_image=window.out,
        channels=len(values),
        kernel=window.kernel,
        x=streams.fact(vectors).type,
        weights=w_fact.type,
        out=fact.type,
        xnor=bool(attribute(node, "xnor", 0)),
    )
    whole = Integer.of(fact.low.min(), fact.high.max())
    kind = node.outputs[0].dtype
    return streams.emit(made, [vectors, stored], [out], [whole], kind)[0]
