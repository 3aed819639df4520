# SPDX-License-Identifier: Apache-2.0
"""Builders of nodes to test, each from the node's own cases, and models of them."""

from __future__ import annotations

from operator import add, mul
from typing import Any

import numpy as np

from qnnc.nodes.convolution_input_generator.cases import windows
from qnnc.nodes.duplicate_streams.cases import duplicate
from qnnc.nodes.dynamic_mvau.cases import dynamic
from qnnc.nodes.elementwise_add.node import ElementwiseAdd
from qnnc.nodes.elementwise_mul.node import ElementwiseMul
from qnnc.nodes.fm_padding.cases import padding
from qnnc.nodes.fm_padding_pixel.cases import spread
from qnnc.nodes.global_acc_pool.cases import total
from qnnc.nodes.label_select.cases import label_select
from qnnc.nodes.mvau.cases import mvau
from qnnc.nodes.pool.cases import pool
from qnnc.nodes.quant_softmax.cases import softmax
from qnnc.nodes.shared.elementwise.cases import of_two, with_constant
from qnnc.nodes.shuffle.cases import shuffle
from qnnc.nodes.streaming_concat.cases import concat
from qnnc.nodes.streaming_data_width_converter.cases import width_converter
from qnnc.nodes.streaming_fifo.cases import fifo
from qnnc.nodes.streaming_split.cases import split
from qnnc.nodes.testing import Case, model_of, random_inputs, random_of
from qnnc.nodes.thresholding.cases import tail, thresholding
from qnnc.nodes.upsample_nearest_neighbour.cases import upsample
from qnnc.nodes.vvau.cases import vvau

OPERATIONS = {"Add": (ElementwiseAdd, add), "Mul": (ElementwiseMul, mul)}


def elementwise(rng: np.random.Generator, *, op: str, **arguments: Any) -> Case:
    """An ElementwiseAdd or ElementwiseMul with a constant."""
    return with_constant(rng, *OPERATIONS[op], **arguments)


def join(*, op: str, **arguments: Any) -> Case:
    """An ElementwiseAdd or ElementwiseMul of two streams."""
    return of_two(*OPERATIONS[op], **arguments)


__all__ = [
    "Case",
    "concat",
    "duplicate",
    "dynamic",
    "elementwise",
    "fifo",
    "join",
    "label_select",
    "model_of",
    "mvau",
    "padding",
    "pool",
    "random_inputs",
    "random_of",
    "shuffle",
    "softmax",
    "split",
    "spread",
    "tail",
    "thresholding",
    "total",
    "upsample",
    "vvau",
    "width_converter",
    "windows",
]
