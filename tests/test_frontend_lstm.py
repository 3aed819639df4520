# SPDX-License-Identifier: Apache-2.0
"""QuantLSTMCell nodes that no exporter writes: refused by name, before anything is compiled."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from qnnc.compiler.errors import ModelError
from qnnc.frontends.qonnx import from_proto
from tests.support.lstm import Lstm

SEQUENCE, HIDDEN, CELL = 0, 1, 2
SCALE, ZERO_POINT, BITS = 15, 16, 17
"""Inputs of the node; the last three of its first quantizer."""


def load(index: int, given: object) -> None:
    """Read an LSTM one of whose node's inputs is left out, or another constant."""
    proto = Lstm().model()
    cell = next(node for node in proto.graph.node if node.op_type == "QuantLSTMCell")
    cell.input[index] = "" if given is None else "given"
    if given is not None:
        proto.graph.initializer.append(
            numpy_helper.from_array(np.asarray(given, np.float32), "given")
        )
    from_proto(proto)


@pytest.mark.parametrize(
    ("index", "given", "words"),
    [
        (SEQUENCE, None, "has no sequence"),
        (HIDDEN, None, "has no initial state"),
        (CELL, None, "has no initial state"),
        (HIDDEN, np.zeros((1, 9)), "initial state 'given' has 9 elements; .* its 4 hidden units"),
        (SCALE, None, "has no scale"),
        (SCALE, 0, "scale 'given' must be positive"),
        (SCALE, -0.25, "scale 'given' must be positive"),
        (SCALE, np.nan, "scale 'given' is not finite"),
        (SCALE, [0.5, 0.25], "quantizer output needs one scale"),
        (ZERO_POINT, [0, 0], "quantizer output needs one scale, one zero point"),
        (ZERO_POINT, np.inf, "zero point 'given' is not finite"),
        (BITS, [8, 8], "quantizer output needs one scale, one zero point and one bit width"),
        (BITS, np.inf, "bit width 'given' is not finite"),
        (BITS, 7.5, "bit width must be one integer from 1 to 32"),
        (BITS, 100, "bit width must be one integer from 1 to 32"),
    ],
)
def test_impossible_parameters_are_refused(index: int, given: object, words: str) -> None:
    with pytest.raises(ModelError, match=f"'cell'.*{words}"):
        load(index, given)
