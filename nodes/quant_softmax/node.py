# SPDX-License-Identifier: Apache-2.0
"""QuantSoftmax: a softmax over each vector, from integer codes to integer codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import (
    DataflowNode,
    NewNode,
    Ports,
    Range,
    Role,
    Stream,
    divisors,
)
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.compiler.dataflow.schedule import Intake, Schedule
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.operators.integer_softmax import Exponents
from qnnc.compiler.resources import Resources

MAX_PE = 16
"""Elements per cycle, each with tables and a divider of its own."""
MAX_QUOTIENT = 24
"""Bits of a quotient, a pipeline stage each."""
TABLE_LATENCY = 4
"""Cycles from a word of codes to its terms' sum."""
SLACK = 8
"""Words beyond two vectors between the table and the divider."""


class QuantSoftmax(DataflowNode[PEFolding]):
    """Input x [..., NumChannels], codes; output of the same shape, codes.

    Further inputs, constants: tables [2, distances] and scales [3], see
    `compiler.ir.operators.integer_softmax`.
    """

    op_type = "QuantSoftmax"
    short_name = "quant_softmax"
    role = Role.SOFTMAX
    folding_type = PEFolding

    channels: int = attributes.integer("NumChannels")
    rounding: int = attributes.integer("rounding")
    most: int = attributes.integer("most")
    base: int = attributes.integer("base")
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        found: Exponents,
        x: BaseDataType,
        out: BaseDataType,
        vectors: Sequence[int],
    ) -> NewNode:
        """A softmax over vectors of so many elements."""
        return cls.new(
            NumChannels=channels,
            PE=1,
            rounding=found.rounding,
            most=found.most,
            base=found.base,
            inputDataType=x.name,
            outputDataType=out.name,
            numInputVectors=list(vectors),
        )

    @cached_property
    def exponents(self) -> Exponents:
        """The tables and scales."""
        return Exponents.of(self.node)

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        return [Range.of(self.base, self.base + self.most)]

    # --- widths -----------------------------------------------------------------------------

    @property
    def distances(self) -> int:
        """Entries of a table: one more than the greatest distance that the input's type has."""
        there: int = self.exponents.tables.shape[1]
        return min(there, int(self.x_type.max()) - int(self.x_type.min()) + 1)

    @property
    def term_bits(self) -> int:
        """Of exp(-scale d)."""
        return int(self.exponents.tables[0].max()).bit_length()

    @property
    def scaled_bits(self) -> int:
        """Of exp(-scale d) / step."""
        return int(self.exponents.tables[1].max()).bit_length()

    @property
    def sum_bits(self) -> int:
        """Of the sum of a vector's terms."""
        return (int(self.exponents.tables[0].max()) * self.channels).bit_length()

    @property
    def quotient_bits(self) -> int:
        """Of the greatest quotient: that of a vector whose other terms are zero."""
        term, scaled = (int(table[0]) for table in self.exponents.tables)
        return max(1, ((2 * scaled + self.rounding * term) // (2 * term)).bit_length())

    def words(self, folding: PEFolding) -> int:
        """Words of a vector."""
        return self.channels // folding.PE

    def waiting(self, folding: PEFolding) -> int:
        """Words between the table and the divider: a vector while its sum is made, one while it is
        divided, and those in the table's pipeline."""
        return 2 * self.words(folding) + SLACK

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[PEFolding]:
        return (PEFolding(PE=pe) for pe in divisors(self.channels) if pe <= MAX_PE)

    def ports(self, folding: PEFolding) -> Ports:
        shape = (*self.vectors_shape, self.channels)
        return Ports(
            (Stream(shape, self.x_type, folding.PE),), (Stream(shape, self.out_type, folding.PE),)
        )

    def cycles(self, folding: PEFolding) -> int:
        return self.words(folding) * self.vectors

    def latency(self, folding: PEFolding) -> int:
        return 2 * self.words(folding) + self._after

    @property
    def _after(self) -> int:
        """Cycles besides those of two passes over a vector."""
        return TABLE_LATENCY + self.quotient_bits + 10

    def schedule(self, folding: PEFolding) -> Schedule:
        """A vector at a time; three more are inside, between its passes."""
        words, done = self.words(folding), np.arange(1, self.vectors + 1, dtype=np.int64)
        taken = done * self.channels
        return Schedule(
            np.full(self.vectors, words, dtype=np.int64),
            2 * words + self._after,
            (Intake(taken, taken, self.channels),),
            (taken,),
        )

    def resources(self, folding: PEFolding) -> Resources:
        pe, words = folding.PE, self.words(folding)
        x_bits, out_bits = int(self.x_type.bitwidth()), int(self.out_type.bitwidth())
        distances = self.distances
        tables = sum(
            cost.logic_rom(table[:distances], bits)
            for table, bits in zip(
                self.exponents.tables, (self.term_bits, self.scaled_bits), strict=True
            )
        )
        divisor = self.sum_bits + 2
        luts = pe * (tables + x_bits + self.quotient_bits * 2 * divisor + divisor + out_bits + 4)
        luts += pe * self.sum_bits + pe * (cost.comparator(x_bits) + x_bits)
        waits = self.waiting(folding)
        luts += cost.lut_ram(pe * x_bits, waits) + cost.lut_ram(x_bits, 16)
        luts += cost.lut_ram(pe * self.scaled_bits, waits)
        luts += cost.lut_ram(self.sum_bits, waits // words + 2)
        luts += pe * out_bits + 60 + 3 * cost.counter(words)
        ffs = pe * (self.term_bits * 2 + self.scaled_bits * 3 + 5 * x_bits + 2 * out_bits)
        stages = self.quotient_bits
        ffs += pe * stages * (divisor + stages) + stages * divisor
        ffs += 3 * self.sum_bits + 100
        return Resources(LUT=luts, FF=ffs)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        return [self.exponents.operators(b, inputs[0])]
