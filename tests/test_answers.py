# SPDX-License-Identifier: Apache-2.0
"""Answers that differ only because float32 cannot tell two classes apart."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from qnnc.compiler.answers import answers, as_answers, near_ties

SCORES = '<ir_version: 8, opset_import: ["": 13]> g (float[N, 3] x) => (float[N, 3] y) {%s}'
LABELS = '<ir_version: 8, opset_import: ["": 13]> g (float[N, 3] x) => (int64[N, 1] y) {%s}'
TEXTS = {
    "scores": SCORES % "y = Identity (x)",
    "labels": LABELS % "y = ArgMax <axis = 1> (x)",
}
X = np.array(
    [[1, 2, 3], [5, 5.00001, 0], [5, 5.01, 0], [-7, -7, -7], [0, 1e-7, 1]], dtype=np.float32
)


@pytest.mark.parametrize("kind", TEXTS)
def test_only_scores_that_float32_cannot_tell_apart_tie(kind: str) -> None:
    model = ir.from_proto(onnx.parser.parse_model(TEXTS[kind]))
    theirs = answers(model, {"x": X})
    assert theirs[:, 0].tolist() == [2, 1, 1, 0, 2]
    mine = np.array([[2], [0], [0], [2], [0]])
    assert near_ties(model, {"x": X}, mine, theirs).tolist() == [False, True, False, True, False]
    assert not near_ties(model, {"x": X}, theirs, theirs).any()


def test_whole_outputs_tie_element_by_element() -> None:
    text = '<ir_version: 8, opset_import: ["": 13]> g (float[N, 1] x) => (float[N, 1] y)'
    model = ir.from_proto(onnx.parser.parse_model(text + "{y = Identity (x)}"))
    theirs = np.array([[2.0], [3.0]], dtype=np.float32)
    mine = np.array([[2.000001], [3.001]], dtype=np.float32)
    assert near_ties(model, {"x": theirs}, mine, theirs).tolist() == [True, False]


def test_images_are_no_scores() -> None:
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    assert as_answers({"y": image}, False).shape == (2, 12)
    assert as_answers({"y": image[:, :, :1, :1]}, False).tolist() == [[2], [2]]
