# SPDX-License-Identifier: Apache-2.0
"""Pieces of the C++ library that several nodes and the emulator use."""

from __future__ import annotations

import math

from qonnx.core.datatype import BaseDataType

from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Ports, Stream

JOIN = Header("qnnc.backends.hls.library", "qnnc_join.h")
STREAM = Header("qnnc.backends.hls.library", "qnnc_stream.h")


def copies(ports: Ports) -> Kernel:
    """Every word of a stream to several."""
    x = ports.inputs[0]
    return Kernel(JOIN, template("duplicate", x.datatype, x.lanes, x.words), ports)


def part(kind: BaseDataType, words: int) -> str:
    """The class of a stream that is one part of a vector."""
    return "qnnc::" + template("part", kind, words)


def conversion(x: Stream, y: Stream) -> Kernel:
    """Words of one stream as words of another."""
    between = math.gcd(x.lanes, y.lanes)
    name = template("width_converter", x.datatype, x.lanes, y.lanes, between, x.elements)
    return Kernel(STREAM, name, Ports((x,), (y,)))
