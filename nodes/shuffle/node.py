# SPDX-License-Identifier: Apache-2.0
"""Shuffle: the elements of a stream in another order (transposes, pixel shuffles)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes
from qnnc.compiler.dataflow.base import NewNode, Ports, Stream
from qnnc.compiler.dataflow.loops import Loop, block_of, loops_of
from qnnc.compiler.dataflow.plumbing import Shuffler
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.shared.reordering.node import Reordering, ReorderingFolding


class Shuffle(Reordering, Shuffler):
    """Input x of in_shape; output x.reshape(transpose_in_shape).transpose(perm) of out_shape, as
    in FINN. Elements that stay together decide how large SIMD can be."""

    op_type = "Shuffle"
    kind = "image"
    input_types = ("datatype",)

    datatype: BaseDataType = attributes.integer_type("data_type")
    in_shape: tuple[int, ...] = attributes.integers("in_shape")
    out_shape: tuple[int, ...] = attributes.integers("out_shape")
    apart: tuple[int, ...] = attributes.integers("transpose_in_shape")
    perm: tuple[int, ...] = attributes.integers("perm")

    @classmethod
    def create(
        cls,
        *,
        x: BaseDataType,
        in_shape: Sequence[int],
        apart: Sequence[int],
        perm: Sequence[int],
        out_shape: Sequence[int],
    ) -> NewNode:
        """x.reshape(apart).transpose(perm).reshape(out_shape), batch dimension included."""
        return cls.new(
            data_type=x.name,
            transpose_in_shape=list(apart),
            in_shape=list(in_shape),
            transpose_out_shape=[apart[p] for p in perm],
            out_shape=list(out_shape),
            perm=list(perm),
            SIMD=1,
            NumChannels=int(out_shape[-1]),
        )

    @cached_property
    def order(self) -> IntArray:
        """For each element of the output its number in the input."""
        numbers = np.arange(math.prod(self.apart), dtype=np.int64).reshape(self.apart)
        order: IntArray = numbers.transpose(self.perm).reshape(-1)
        return order

    @cached_property
    def together(self) -> int:
        """Elements that stay neighbours throughout."""
        jumps = np.flatnonzero(np.diff(self.order) != 1)
        return int(np.gcd.reduce([*(jumps + 1).tolist(), self.order.size]))

    @property
    def most_lanes(self) -> int:
        return math.gcd(self.together, self.in_shape[-1], self.out_shape[-1])

    @cached_property
    def block(self) -> int:
        """Elements of a block."""
        return math.lcm(block_of(self.order), self.together)

    def block_words(self, folding: ReorderingFolding) -> int:
        return self.block // folding.SIMD

    def loops(self, folding: ReorderingFolding) -> tuple[Loop, ...]:
        words = self.order[: self.block : folding.SIMD] // folding.SIMD
        found = loops_of(words)
        assert found is not None, "a transpose is always made of loops"
        return found

    def ports(self, folding: ReorderingFolding) -> Ports:
        return Ports(
            (Stream(self.in_shape, self.datatype, folding.SIMD),),
            (Stream(self.out_shape, self.datatype, folding.SIMD),),
        )

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        shape = [0, *self.apart[1:]]
        apart = b.op("Reshape", inputs[0], b.constant(shape, np.int64))
        moved = b.op("Transpose", apart, perm=list(self.perm))
        return [b.op("Reshape", moved, b.constant([0, *self.out_shape[1:]], np.int64))]
