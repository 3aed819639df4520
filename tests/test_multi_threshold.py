# SPDX-License-Identifier: Apache-2.0
"""Threshold tables in standard operators: what few and what many thresholds give, and how large
the tensors on the way are."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnnc.compiler.ir.builder import PlainBuilder
from qnnc.compiler.ir.operators.multi_threshold import COMPARED_AT_ONCE, count_thresholds
from qnnc.compiler.reference import Session, Tensors

BATCH = 3


def ran(
    thresholds: np.ndarray, values: np.ndarray | None, base: int, x: np.ndarray, *, whole: bool
) -> tuple[np.ndarray, Tensors]:
    """What a table gives for x [batch, …], and with `whole` every tensor on the way."""
    b = PlainBuilder()
    shape = ir.Shape(["N", *x.shape[1:]])
    given_x = ir.Value(name="x", shape=shape, type=ir.TensorType(ir.DataType.FLOAT))
    y = count_thresholds(b, given_x, thresholds, values, base, np.float32)
    ends = [v for node in b.nodes for v in node.outputs] if whole else [y]
    graph = ir.Graph([given_x], ends, nodes=b.nodes, initializers=b.initializers,
                     opset_imports={"": 21})  # fmt: skip
    found = Session(ir.Model(graph, ir_version=10)).run({"x": x.astype(np.float32)})
    return found[str(y.name)], found


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 300) | st.integers(COMPARED_AT_ONCE - 1, COMPARED_AT_ONCE + 2),
    rows=st.sampled_from([(1, 1), (1, 5), (5, 1), (5, 5)]),
    last=st.booleans(),
    valued=st.booleans(),
    base=st.integers(-128, 3),
    seed=st.integers(0, 10**6),
)
def test_a_table_gives_its_values(
    steps: int, rows: tuple[int, int], last: bool, valued: bool, base: int, seed: int
) -> None:
    """Rows of thresholds and of values for each channel, or one for all; channels last or first."""
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.integers(-2 * steps, 2 * steps + 1, (rows[0], steps)), axis=1)
    values = rng.integers(-99, 100, (rows[1], steps + 1)) if valued else None
    x = rng.integers(-2 * steps - 2, 2 * steps + 3, (BATCH, 4, 5) if last else (BATCH, 5, 2, 2))
    middle = () if last else (1, 1)
    found, _ = ran(
        thresholds.reshape(rows[0], *middle, steps),
        None if values is None else values.reshape(rows[1], *middle, steps + 1),
        base,
        x,
        whole=False,
    )
    channels = np.moveaxis(x, -1 if last else 1, 0)
    expected = np.empty(channels.shape)
    for channel, row in enumerate(channels):
        limits = thresholds[channel % rows[0]]
        count = (row[..., None] >= limits).sum(axis=-1)
        expected[channel] = base + count if values is None else values[channel % rows[1]][count]
    assert found.dtype == np.float32
    assert np.array_equal(np.moveaxis(found, -1 if last else 1, 0), expected)


@pytest.mark.parametrize("valued", [False, True])
def test_many_thresholds_make_no_tensor_larger_than_the_input(valued: bool) -> None:
    rng = np.random.default_rng(0)
    thresholds = np.sort(rng.integers(-999, 999, (4, 255)), axis=1)
    values = rng.integers(0, 9, (4, 256)) if valued else None
    x = rng.integers(-999, 999, (BATCH, 100, 4))
    _, tensors = ran(thresholds, values, 0, x, whole=True)
    assert max(array.size for array in tensors.values()) == x.size
