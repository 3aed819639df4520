# SPDX-License-Identifier: Apache-2.0
"""Packed DSP words over all widths, signs and lengths: a DSP column in Python integers, with every
port's limit checked. The RTL of a choice of them is in nodes/mvau/cases.py."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.dataflow.dsp_packing import (
    A_PORT,
    P_PORT,
    Chain,
    DspGroup,
    WeightRange,
    fits_dsp,
    packed_digits,
    plan_dsp_group,
)


def signed(word: int, bits: int) -> int:
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


def port_word(group: DspGroup, digits: NDArray[np.int64]) -> int:
    """What the 25-bit port sees: digits side by side, sign bits between."""
    word = 0
    for field, digit in enumerate(digits.tolist()):
        bits = group.digit_bits if field == group.fields - 1 else group.spacing
        kept = digit & ((1 << group.digit_bits) - 1)
        filled = signed(kept, group.digit_bits) if group.w_signed else kept
        word |= (filled & ((1 << bits) - 1)) << (field * group.spacing)
    return signed(word, group.word_bits) if group.w_signed else word


def chain_sums(
    group: DspGroup, chain: Chain, x: NDArray[np.int64], weights: NDArray[np.int64]
) -> list[int]:
    """The sums that a chain hands to the trees, from products [count, fields]."""
    step, k = 1 << group.overlap, group.spacing
    residues = [0] + [
        int(-(x @ weights[:, field]) - chain.starts[field]) % step
        for field in range(1, group.fields)
    ]
    c = sum(start << (field * k) for field, start in enumerate(chain.starts))
    for field in range(1, group.fields):
        assert (c >> (field * k)) % step == 0  # the residue has these bits to itself
        c |= residues[field] << (field * k)
    words = [port_word(group, digits) for digits in packed_digits(weights)]
    p = c + sum(word * value for word, value in zip(words, x.tolist(), strict=True))
    assert 0 <= p < 1 << P_PORT
    sums = []
    for field in range(group.fields):
        value = (p >> (field * k)) % (1 << chain.width)
        above = (step - 1) if field else 0
        sums.append((value & ~above) | (above & ~residues[field]))
    return sums


def accumulated(group: DspGroup, x: NDArray[np.int64], weights: NDArray[np.int64]) -> list[int]:
    """What an accumulating DSP reads as its lanes' totals, from products [steps, fields]."""
    words = [port_word(group, digits) for digits in packed_digits(weights)]
    p = sum(start << (f * group.spacing) for f, start in enumerate(group.chains[0].starts))
    p += sum(word * value for word, value in zip(words, x.tolist(), strict=True))
    totals = []
    for field in range(group.fields):
        top = field == group.fields - 1
        bits = P_PORT - field * group.spacing if top else group.spacing
        value = p >> (field * group.spacing)
        totals.append(signed(value if top else value ^ (1 << (bits - 1)), bits))
    return totals


@st.composite
def integer_types(draw: st.DrawFn, most: int) -> BaseDataType:
    bits = draw(st.integers(1, most))
    return DataType[f"{draw(st.sampled_from(['INT', 'UINT'])) if bits > 1 else 'UINT'}{bits}"]


@settings(max_examples=400, deadline=None)
@given(
    x_type=integer_types(18),
    w_type=integer_types(14),
    narrow=st.booleans(),
    simd=st.one_of(st.just(1), st.integers(1, 36)),
    pe=st.integers(1, 6),
    steps=st.sampled_from([1, 2, 9, 64, 1024]),
    seed=st.integers(0, 2**16),
)
def test_packed_words_hold_exact_sums(
    x_type: BaseDataType,
    w_type: BaseDataType,
    narrow: bool,
    simd: int,
    pe: int,
    steps: int,
    seed: int,
) -> None:
    assert fits_dsp(x_type, w_type)
    rng = np.random.default_rng(seed)
    low, high = int(w_type.min()) + narrow, int(w_type.max())
    weights_of = WeightRange(min(0, low), high)
    group = plan_dsp_group(x_type, w_type, weights_of, simd=simd, pe=pe, steps=steps)
    assert group.simd == simd and group.fields <= pe
    assert group.fields == 1 or group.word_bits + int(not group.w_signed) <= A_PORT
    count = steps if group.accumulate else simd
    shape = (count, group.fields)
    x_ends, w_ends = (int(x_type.min()), int(x_type.max())), (low, high)
    for x, weights in (
        *(
            (np.full(count, end), np.broadcast_to(np.resize(ends, group.fields), shape))
            for end in x_ends
            for ends in (w_ends, w_ends[::-1])
        ),
        (rng.choice(x_ends, count), rng.choice(w_ends, shape)),
        (
            rng.integers(*x_ends, count, endpoint=True),
            rng.integers(*w_ends, shape, endpoint=True),
        ),
    ):
        expected = (x @ weights).tolist()
        if group.accumulate:
            assert accumulated(group, x, weights) == expected
            continue
        totals = [group.offset(field) for field in range(group.fields)]
        first = 0
        for chain in group.chains:
            part = slice(first, first + chain.count)
            sums = chain_sums(group, chain, x[part], weights[part])
            assert all(0 <= value < 1 << chain.width for value in sums)
            totals = [t + s for t, s in zip(totals, sums, strict=True)]
            first += chain.count
        assert totals == expected


def test_the_most_negative_weight_takes_a_bit_more() -> None:
    """Two lanes of 8 x 8 bits to a DSP; a digit below -128 would not fit in eight bits."""
    uint8, int8 = DataType["UINT8"], DataType["INT8"]
    found = {
        low: plan_dsp_group(uint8, int8, WeightRange(low, 127), simd=4, pe=16, steps=36)
        for low in (-127, -128)
    }
    assert all(group.fields == 2 for group in found.values())
    assert (found[-127].spacing, found[-127].digit_bits) == (17, 8)
    assert (found[-128].spacing, found[-128].digit_bits) == (16, 9)
