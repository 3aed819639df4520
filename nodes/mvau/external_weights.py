# SPDX-License-Identifier: Apache-2.0
"""External weights: a word of weights is used for some vectors before the next comes.

Vectors are positions of an image, or the frames of a dense layer. For one vector per word the
unit is the one with weights of its own, but for the port that they come over. For more, it holds
two batches of so many vectors of its input and one of its results. It reads the words of the weight
matrix once per batch: for each word the corresponding part of every vector of the batch, so that
memory has that many cycles for a word. Sums of all vectors are under way at once; they wait in
shift registers. Results come word by word and are put back into the order of vectors, each batch in
the places that the one before leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from qnnc.compiler.dataflow import cost
from qnnc.compiler.memory_ports import word_bytes
from qnnc.compiler.resources import Resources

MAX_PORT = 64
"""Bits of a weight stream: as many as a port of the memory has."""
DEEPEST = cost.BLOCK_SHAPES[-1][0]


@dataclass(frozen=True, kw_only=True)
class ExternalWeights:
    """The weight stream and the buffers of a unit.

    Attributes:
        reuse: vectors that a word is used for.
        steps: words of a vector.
        passes: words of a result.
        word_bits: bits of a weight word.
        x_bits: bits of a word of the input.
        y_bits: bits of a word of the result.
        block: buffers are block RAM.
    """

    reuse: int
    steps: int
    passes: int
    word_bits: int
    x_bits: int
    y_bits: int
    block: bool

    @cached_property
    def port_bytes(self) -> int:
        """Bytes of a word of the stream: 1, 2, 4 or 8."""
        return min(MAX_PORT // 8, word_bytes(self.word_bits))

    @property
    def beats(self) -> int:
        """Words of the stream that make a weight word."""
        return -(-self.word_bits // (8 * self.port_bytes))

    @property
    def words(self) -> int:
        """Weight words of the matrix."""
        return self.steps * self.passes

    @property
    def bytes(self) -> int:
        """Bytes of the matrix as it lies in memory."""
        return self.words * self.beats * self.port_bytes

    @property
    def x_depth(self) -> int:
        """Words of the input's buffer."""
        return 2 * self.reuse * self.steps

    @property
    def y_depth(self) -> int:
        """Words of the result's buffer."""
        return self.reuse * self.passes

    @property
    def possible(self) -> bool:
        """The stream can keep up, and the buffers are not too deep."""
        if self.reuse == 1:
            return self.beats == 1
        return self.beats <= self.reuse and max(self.x_depth, self.y_depth) <= DEEPEST

    @property
    def port_resources(self) -> Resources:
        """Of the weight port."""
        ffs = float(self.word_bits)
        if self.beats == 1:
            return Resources(8 * self.port_bytes, ffs + 16 * self.port_bytes - self.word_bits)
        ffs += 8 * self.port_bytes * (2 * self.beats - 1) - self.word_bits
        return Resources(cost.counter(self.beats), ffs)

    @property
    def resources(self) -> Resources:
        """Of the buffers, their control and the weight port; lanes not included."""
        x_address, y_address = cost.bits_for(self.x_depth), cost.bits_for(self.y_depth)
        luts = 35.0 + 2.5 * x_address + cost.counter(self.reuse) + cost.counter(self.steps)
        luts += cost.counter(self.passes) + cost.counter(self.x_depth)
        luts += 2 * 4 * y_address + cost.counter(self.y_depth)  # two of `qnnc_transposed`
        ffs = 4.0 * x_address + 9 * y_address + 40
        ffs += self.x_bits + self.y_bits + self.word_bits
        ram = Resources(LUT=cost.lut_ram(self.x_bits, self.x_depth), FF=self.x_bits)
        ram += Resources(LUT=cost.lut_ram(self.y_bits, self.y_depth), FF=self.y_bits)
        if self.block:
            blocks = cost.dual_ram(self.x_bits, self.x_depth)
            ram = Resources(
                FF=-self.x_bits, BRAM18=blocks + cost.dual_ram(self.y_bits, self.y_depth)
            )
        return self.port_resources + ram + Resources(luts, ffs)
