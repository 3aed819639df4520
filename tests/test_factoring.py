# SPDX-License-Identifier: Apache-2.0
"""Factored thresholds: the same code as the table for every input of every channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.factoring import Factored, Unfactorable, factor, staircase
from qnnc.compiler.factoring.hashing import address_bits, hash_tables
from qnnc.nodes.testing import Case
from qnnc.nodes.thresholding.node import Thresholding
from tests.support import nodes

Ints = NDArray[np.int64]
Table = tuple[Ints, Ints | None, int, Ints, Ints]
"""Thresholds, values, base, least and greatest input of each row."""


def codes_of(table: Table, x: Ints) -> Ints:
    """What a table gives for inputs [rows, n], by counting."""
    thresholds, values, base, _, _ = table
    count = (x[:, :, None] >= thresholds[:, None, :]).sum(axis=2)
    return base + count if values is None else np.take_along_axis(values, count, axis=1)


def agree_everywhere(table: Table, found: Factored) -> None:
    """The factored form gives the table's code for every input of every row's range."""
    _, _, _, low, high = table
    span = int((high - low).max()) + 1
    x = np.minimum(low[:, None] + np.arange(span), high[:, None])
    expected = codes_of(table, x)
    row = np.broadcast_to(np.arange(len(low))[:, None], x.shape)
    assert np.array_equal(found.codes(row.reshape(-1), x.reshape(-1)), expected.reshape(-1))


def agree_at_steps(table: Table, found: Factored) -> None:
    """As `agree_everywhere` for ranges too large for it: at every step and next to it, at the
    ends, and at random."""
    thresholds, _, _, low, high = table
    rng = np.random.default_rng(0)
    random = rng.integers(low[:, None], high[:, None], size=(len(low), 500), endpoint=True)
    near = np.concatenate([thresholds + d for d in (-2, -1, 0, 1, 2)], axis=1)
    x = np.concatenate([near, random, low[:, None], high[:, None]], axis=1)
    x = np.clip(x, low[:, None], high[:, None])
    row = np.broadcast_to(np.arange(len(low))[:, None], x.shape)
    codes = found.codes(row.reshape(-1), x.reshape(-1))
    assert np.array_equal(codes, codes_of(table, x).reshape(-1))


def ends_of(spec: Case) -> tuple[int, int]:
    """Of the type of the input."""
    kind, _ = spec.inputs[0]
    return int(kind.min()), int(kind.max())


def table_of(spec: Case) -> Table:
    low, high = ends_of(spec)
    rows = len(spec.constants[0])
    values = spec.constants[1] if len(spec.constants) > 1 else None
    base = spec.attributes["ActVal"]
    assert isinstance(base, int)
    return (
        spec.constants[0],
        values,
        base,
        np.full(rows, low),
        np.full(rows, high),
    )


@st.composite
def tails(draw: st.DrawFn) -> Case:
    return nodes.tail(
        np.random.default_rng(draw(st.integers(0, 10**6))),
        channels=draw(st.integers(1, 40)),
        steps=draw(st.integers(1, 60)),
        x=draw(st.sampled_from(["INT4", "UINT6", "INT9", "INT11", "UINT12"])),
        function=draw(st.sampled_from(["uniform", "tanh", "ties"])),
        spread=draw(st.sampled_from([0.2, 0.7, 1.2, 2.5])),
        base=draw(st.integers(-40, 5)),
        falling=draw(st.booleans()),
        exceptions=draw(st.sampled_from([0, 0, 3])),
    )


@settings(max_examples=150, deadline=None)
@given(spec=tails())
def test_whatever_is_factored_is_exact(spec: Case) -> None:
    table = table_of(spec)
    try:
        found = factor(*table)
    except Unfactorable as reason:
        assert str(reason)
        return
    agree_everywhere(table, found)


@settings(max_examples=80, deadline=None)
@given(spec=tails())
def test_widths_hold_what_is_computed(spec: Case) -> None:
    """a, b, sums and clipped values fit the bits that the hardware gives them."""
    node = stream_graph(nodes.model_of([spec.folded(impl_style="factored")])).nodes[0]
    assert isinstance(node, Thresholding)
    try:
        factor(*table_of(spec))
    except Unfactorable:
        return
    affine = node.affine()
    form = affine.form
    low, high = ends_of(spec)
    ends = np.stack([form.slope * low, form.slope * high]) + form.intercept
    half = 1 << (affine.sum_bits - 1)
    assert -half <= ends.min() and ends.max() < half
    assert form.slope.max() < 1 << (affine.factor_bits - 1)
    assert form.slope.min() >= -(1 << (affine.factor_bits - 1))
    stored = form.intercept >> form.intercept_zeros
    assert np.array_equal(stored << form.intercept_zeros, form.intercept)
    assert np.abs(stored).max() <= 1 << (affine.intercept_bits - 1)
    assert all(t < 1 << affine.clip_bits for t in form.thresholds)


@pytest.mark.parametrize(
    ("function", "style"), [("uniform", "requant"), ("ties", "requant"), ("tanh", "factored")]
)
@pytest.mark.parametrize("base", [0, -7, -128])
def test_the_form_is_the_one_expected(function: str, style: str, base: int) -> None:
    spec = nodes.tail(
        np.random.default_rng(1), channels=64, steps=63, x="INT13", function=function, base=base
    )
    found = factor(*table_of(spec))
    assert found.style == style
    assert not len(found.exceptions)
    assert found.even == (function == "ties")
    agree_everywhere(table_of(spec), found)


def test_a_few_steps_aside_become_exceptions() -> None:
    for function in ("uniform", "tanh"):
        rng = np.random.default_rng(4)
        spec = nodes.tail(rng, channels=100, steps=63, x="INT18", function=function, exceptions=25)
        found = factor(*table_of(spec))
        assert 1 <= len(found.exceptions) <= 40
        agree_at_steps(table_of(spec), found)


def test_wide_sums_of_many_channels() -> None:
    """Sums of 20 bits into 255 steps of 256 channels, as 8-bit activations have them."""
    for function in ("uniform", "tanh"):
        spec = nodes.tail(
            np.random.default_rng(2), channels=256, steps=255, x="INT20", function=function
        )
        found = factor(*table_of(spec))
        assert not len(found.exceptions)
        assert int(np.abs(found.slope).max()).bit_length() <= 30
        agree_at_steps(table_of(spec), found)


def test_channels_without_a_function_in_common_stay_tables() -> None:
    rng = np.random.default_rng(0)
    for values in (False, True):
        spec = nodes.thresholding(rng, channels=32, steps=31, x="INT12", pe=1, values=values)
        with pytest.raises(Unfactorable, match="in common"):
            factor(*table_of(spec))


def test_constant_rows_and_rows_with_one_step() -> None:
    rng = np.random.default_rng(3)
    spec = nodes.tail(rng, channels=12, steps=15, x="INT10", function="tanh")
    thresholds = spec.constants[0].copy()
    thresholds[2] = 512  # never reached
    thresholds[5] = -512  # always reached
    thresholds[7, :6], thresholds[7, 6:] = -512, 512  # always the same code in between
    thresholds[9, :6], thresholds[9, 7:] = -512, 512  # moves once
    thresholds[9, 6] = 100
    table = (thresholds, *table_of(spec)[1:])
    agree_everywhere(table, factor(*table))
    with pytest.raises(Unfactorable, match="constant"):
        factor(np.full((3, 7), 512), None, 0, np.full(3, -512), np.full(3, 511))


def test_a_row_that_turns_round_by_a_last_bit_is_a_staircase_with_exceptions() -> None:
    """What a tanh does that is rounded in float32: near a step the code moves back and forth."""
    rng = np.random.default_rng(6)
    spec = nodes.tail(rng, channels=48, steps=31, x="INT16", function="tanh", spread=0.8)
    plain = spec.constants[0]
    thresholds = np.sort(np.concatenate([plain, plain[:, :1] + 2, plain[:, :1] + 3], axis=1))
    values = np.concatenate([[0, 1, 0], np.arange(1, 32)])
    moved = (plain[:, 1] > plain[:, 0] + 4) & (plain[:, 0] > -(2**15) + 4)
    moved &= np.arange(48) < 8
    thresholds = np.where(
        moved[:, None], thresholds, np.pad(plain, ((0, 0), (0, 2)), constant_values=2**15)
    )
    codes = np.where(moved[:, None], values, np.minimum(np.arange(34), 31))
    table = (thresholds, codes, 0, np.full(48, -(2**15)), np.full(48, 2**15 - 1))
    stairs = staircase(*table)
    assert np.all(np.diff(stairs.steps, axis=1) >= 0)
    found = factor(*table)
    assert moved.sum() <= len(found.exceptions) <= 4 * moved.sum()
    agree_at_steps(table, found)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 300),
    key_bits=st.integers(12, 40),
    stride=st.sampled_from([0, 1, 2, 64, 2048]),
    seed=st.integers(0, 1000),
)
@example(count=142, key_bits=23, stride=2048, seed=0)
def test_hash_tables_find_their_keys_and_no_others(
    count: int, key_bits: int, stride: int, seed: int
) -> None:
    """Keys at equal distances are what a channel whose steps lie at ties has."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 1 << key_bits, size=count)
    if stride:
        keys = rng.integers(0, 1 << key_bits) + stride * np.arange(count)
    keys = np.unique(keys % (1 << key_bits))
    values = rng.choice([-1, 1, 3], size=keys.size)
    bits = address_bits(keys.size, key_bits)
    (table,) = hash_tables([(keys, values)], key_bits, bits, 3)
    assert table.address_bits >= bits
    assert np.array_equal(table.look_up(keys), values)
    others = np.setdiff1d(rng.integers(0, 1 << key_bits, size=3000), keys)
    assert not table.look_up(others).any()
    assert table.entries.max() < 1 << (table.tag_bits + table.value_bits)
