# SPDX-License-Identifier: Apache-2.0
"""Random types, geometries and foldings of nodes, for hypothesis."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from qnnc.compiler.dataflow.base import divisors
from qnnc.nodes.mvau.cases import TYPES, WEIGHTS
from qnnc.nodes.testing import Case
from tests.support import nodes

KINDS = st.sampled_from(["BINARY", "TERNARY", "UINT2", "INT3", "UINT4", "INT5", "UINT8", "INT8"])
RAMS = st.sampled_from(["distributed", "block"])
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
IMAGES = st.one_of(
    st.tuples(st.integers(1, 7), st.integers(1, 7)), st.tuples(st.just(1), st.integers(1, 12))
)
CHANNELS = st.sampled_from([1, 2, 3, 4, 6])


def lanes(channels: int) -> st.SearchStrategy[int]:
    """One lane to all channels."""
    return st.sampled_from(divisors(channels))


@st.composite
def windows(draw: st.DrawFn) -> Case:
    """Any kernel that fits, up to the whole image; strides beyond the kernel too."""
    image, channels = draw(IMAGES), draw(CHANNELS)
    kernel = tuple(draw(st.integers(1, min(size, 4))) for size in image)
    dilation = tuple(
        draw(st.integers(1, (size - 1) // (k - 1) if k > 1 else 1))
        for size, k in zip(image, kernel, strict=True)
    )
    return nodes.windows(
        image=image,
        kernel=(kernel[0], kernel[1]),
        dilation=(dilation[0], dilation[1]),
        stride=draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        channels=channels,
        kind=draw(KINDS),
        simd=draw(lanes(channels)),
        ram=draw(RAMS),
        prefetch=draw(st.integers(0, 1)),
    )


@st.composite
def borders(draw: st.DrawFn) -> Case:
    """Borders of any value of the type, or zeros between pixels."""
    image, channels, kind = draw(IMAGES), draw(CHANNELS), draw(KINDS)
    simd = draw(lanes(channels))
    if draw(st.booleans()):
        stride = draw(PAIRS)
        return nodes.spread(image=image, stride=stride, channels=channels, kind=kind, simd=simd)
    low, high = (int(n) for n in (DataType[kind].min(), DataType[kind].max()))
    return nodes.padding(
        image=image,
        pads=draw(st.tuples(*[st.integers(0, 3)] * 4)),
        channels=channels,
        kind=kind,
        simd=simd,
        value=draw(st.integers(low, high)),
    )


@st.composite
def folds(draw: st.DrawFn) -> Case:
    """Pools, sums, depthwise products."""
    out, kernel, channels = draw(PAIRS), draw(PAIRS), draw(CHANNELS)
    kind, pe = draw(KINDS), draw(lanes(channels))
    op = draw(st.sampled_from(["MaxPool", "AccPool", "sum", "vvau"]))
    if op == "sum":
        return nodes.total(image=draw(IMAGES), channels=channels, kind=kind, pe=pe)
    if op != "vvau":
        return nodes.pool(out=out, kernel=kernel, function=op, channels=channels, kind=kind, pe=pe)
    weights = draw(st.sampled_from(["BIPOLAR", "BINARY", "TERNARY", "INT2", "INT4", "INT8"]))
    wide = not {kind, weights} & {"BINARY", "BIPOLAR"}
    return nodes.vvau(
        np.random.default_rng(draw(st.integers(0, 1000))),
        out=out,
        kernel=kernel,
        channels=channels,
        x=kind,
        w=weights,
        pe=pe,
        ram=draw(RAMS),
        res=draw(st.sampled_from(["lut", "dsp"])) if wide else "lut",
    )


@st.composite
def joins(draw: st.DrawFn) -> Case:
    """Copies, sums and products of two streams, joins, splits with outputs left unused."""
    vectors = (1, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    op = draw(st.sampled_from(["copy", "Add", "Mul", "concat", "split"]))
    if op in ("concat", "split"):
        simd, count = draw(st.integers(1, 3)), draw(st.integers(2, 4))
        channels = [simd * draw(st.integers(1, 3)) for _ in range(count)]
        if op == "concat":
            kinds = [draw(KINDS) for _ in channels]
            return nodes.concat(vectors=vectors, channels=channels, kinds=kinds, simd=simd)
        unused = draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
        return nodes.split(
            vectors=vectors,
            channels=channels,
            kind=draw(KINDS),
            simd=simd,
            unused=tuple(sorted(unused)),
        )
    count, kind = draw(CHANNELS), draw(KINDS)
    pe = draw(lanes(count))
    if op == "copy":
        copies = draw(st.integers(1, 4))
        return nodes.duplicate(vectors=vectors, channels=count, copies=copies, kind=kind, pe=pe)
    return nodes.join(op=op, vectors=vectors, channels=count, kinds=(kind, draw(KINDS)), pe=pe)


@st.composite
def orders(draw: st.DrawFn) -> Case:
    """Upsampling by any factors, and transposes of up to five dimensions: the loops they make."""
    kind, ram = draw(KINDS), draw(RAMS)
    if draw(st.booleans()):
        channels = draw(CHANNELS)
        return nodes.upsample(
            image=draw(PAIRS),
            factors=draw(PAIRS),
            channels=channels,
            kind=kind,
            simd=draw(lanes(channels)),
            ram=ram,
        )
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    perm = draw(st.permutations(range(len(sizes))))
    apart = (1, *sizes)
    whole = (0, *(p + 1 for p in perm))
    together = apart[-1] if whole[-1] == len(sizes) else 1
    simd = draw(lanes(math.gcd(together, apart[-1])))
    return nodes.shuffle(apart=apart, perm=whole, kind=kind, simd=simd, ram=ram)


@st.composite
def mvaus(draw: st.DrawFn) -> Case:
    """Any types, foldings and memories."""
    mw, mh = draw(st.integers(1, 24)), draw(st.integers(1, 12))
    x, w = draw(st.sampled_from(TYPES)), draw(st.sampled_from(WEIGHTS))
    dsp = w != "BIPOLAR" and (x, w) != ("BINARY", "BINARY")
    return nodes.mvau(
        np.random.default_rng(draw(st.integers(0, 1000))),
        mw=mw,
        mh=mh,
        x=x,
        w=w,
        res=draw(st.sampled_from(["lut", "dsp"] if dsp else ["lut"])),
        pe=draw(lanes(mh)),
        simd=draw(lanes(mw)),
        ram_style=draw(RAMS),
        vectors=draw(st.integers(1, 3)),
    )


@st.composite
def dynamic_mvaus(draw: st.DrawFn) -> Case:
    """Any types, both orders of the matrix, any foldings and memories."""
    mw, mh = draw(st.integers(1, 16)), draw(st.integers(1, 10))
    return nodes.dynamic(
        x=draw(KINDS),
        w=draw(KINDS),
        mw=mw,
        mh=mh,
        rows=draw(st.integers(1, 6)),
        matrices=draw(st.integers(1, 3)),
        transposed=draw(st.booleans()),
        res=draw(st.sampled_from(["lut", "dsp"])),
        pe=draw(lanes(mh)),
        simd=draw(lanes(mw)),
        ram=draw(RAMS),
    )


@st.composite
def softmaxes(draw: st.DrawFn) -> Case:
    """Any types, scales and roundings."""
    channels, bits = draw(st.integers(1, 12)), draw(st.integers(1, 8))
    return nodes.softmax(
        x=draw(KINDS),
        bits=bits,
        channels=channels,
        vectors=draw(st.integers(1, 4)),
        scale=draw(st.sampled_from([0.01, 1 / 16, 0.3, 1.0, 5.0])),
        pe=draw(lanes(channels)),
        rounding=draw(st.integers(0, 2)),
        base=draw(st.integers(-20, 5)),
        step=draw(st.sampled_from([0.0, 0.004, 0.1])),
    )


@st.composite
def thresholdings(draw: st.DrawFn) -> Case:
    """Tables for each channel and for all, with counts and with values."""
    channels = draw(st.integers(1, 12))
    return nodes.thresholding(
        np.random.default_rng(draw(st.integers(0, 1000))),
        channels=channels,
        steps=draw(st.integers(1, 20)),
        x=draw(st.sampled_from(["INT4", "UINT5", "INT11", "BINARY"])),
        pe=draw(lanes(channels)),
        base=draw(st.integers(-20, 5)),
        shared=draw(st.booleans()),
        values=draw(st.booleans()),
    )


ANY = st.one_of(windows(), borders(), folds(), joins(), orders())
ANY_NODE = st.one_of(mvaus(), dynamic_mvaus(), softmaxes(), thresholdings(), ANY)
