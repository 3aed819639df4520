# SPDX-License-Identifier: Apache-2.0
"""MVAU: a matrix times a stream of vectors (Matrix-Vector-Activation Unit).

qnnc always sets noActivation=1: activations are Thresholding nodes of their own, folded on
their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.batches import MAX_BATCH, MIN_BATCH
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
from qnnc.compiler.dataflow.channels import ChannelLink, Kept
from qnnc.compiler.dataflow.dot_product import (
    DotProduct,
    is_bipolar,
    is_ternary,
    plan_dot_product,
    plan_dsp_product,
)
from qnnc.compiler.dataflow.dsp_packing import WeightRange
from qnnc.compiler.dataflow.folding import (
    Arithmetic,
    ArithmeticFolding,
    MemoryFolding,
    PEFolding,
    RamStyle,
    SIMDFolding,
)
from qnnc.compiler.dataflow.schedule import Intake, Schedule, Steps
from qnnc.compiler.datatypes import carrier, type_of_values, wide_sums
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.ir.facts import as_integers
from qnnc.compiler.ir.intervals import matmul
from qnnc.compiler.resources import Resources
from qnnc.nodes.mvau import costs, embedded_weights
from qnnc.nodes.mvau.external_weights import ExternalWeights
from qnnc.nodes.mvau.trits import FIVE, coded_bits
from qnnc.nodes.shared.dot_unit import DotUnit, arithmetic, dsp_helps, sizes

TRITS_FROM_BITS = 10 * 18_432
"""With fewer bits, weights are not kept as trits: saving a block RAM is not worth the decoders."""
WORTH_FETCHING = 18_432
"""Weights of fewer bits, one block RAM, are not fetched for each frame anew: a stream takes as much
of the shell as they do."""
REUSES = (8, 16, MAX_BATCH)
"""Positions that an external weight word serves at most; the largest divisors are offered."""
MAX_LANES = 8192
"""More products per cycle, with weights from a memory, than any Z7020 has room for."""


@dataclass(frozen=True, kw_only=True)
class MVAUFolding(ArithmeticFolding, MemoryFolding, SIMDFolding, PEFolding):
    """PE outputs of SIMD inputs each are worked on per cycle.

    Attributes:
        mem_mode: "internal_decoupled" for weights in a memory, "internal_embedded" for weights
            that are part of the logic, "external" for weights that come as a stream.
        reuse: vectors that an external weight word is used for before the next comes.
        weight_code: "plain" for weights as they are, "trits" for five ternary ones in 8 bits.
    """

    mem_mode: Literal["internal_decoupled", "internal_embedded", "external"] = "internal_decoupled"
    reuse: int = 1
    weight_code: Literal["plain", "trits"] = "plain"


class MVAU(DataflowNode[MVAUFolding]):
    """Inputs x [..., MW] and W [MW, MH] (a constant); output [..., MH].

    With binaryXnorMode, both operands are 0/1 codes of -1/+1 and the output counts the equal
    pairs; otherwise it is the matrix product. PE divides MH, SIMD divides MW; a pass over a
    vector takes MW / SIMD steps and gives PE outputs, MH / PE passes per vector.

    With mem_mode "external" the weights come as a stream, and every word of them is used for
    `reuse` vectors before the next (`external_weights`); ram_style is then that of the buffers.
    With "internal_embedded" and PE = MH, SIMD = MW, weights are part of the logic
    (`embedded_weights`).
    """

    op_type = "MVAU"
    short_name = "mvau"
    role = Role.PRODUCT
    kind = "product"
    folding_type = MVAUFolding

    MW: int = attributes.integer("MW")
    MH: int = attributes.integer("MH")
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    w_type: BaseDataType = attributes.integer_type("weightDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")
    acc_type: BaseDataType = attributes.integer_type("accDataType", "INT32")
    xnor: bool = attributes.flag("binaryXnorMode", False)
    held: int = attributes.integer("batch", 0)
    """Frames that may be held so that weights can be external; 0 if they cannot."""

    @classmethod
    def create(
        cls,
        *,
        matrix: tuple[int, int],
        x: BaseDataType,
        weights: BaseDataType,
        out: BaseDataType,
        xnor: bool = False,
        vectors: Sequence[int] = (1,),
    ) -> NewNode:
        """A product with a matrix [MW, MH], unfolded."""
        return cls.new(
            MW=matrix[0],
            MH=matrix[1],
            PE=1,
            SIMD=1,
            inputDataType=x.name,
            weightDataType=weights.name,
            outputDataType=out.name,
            accDataType=out.name,
            noActivation=1,
            binaryXnorMode=int(xnor),
            numInputVectors=list(vectors),
        )

    def weights(self) -> NDArray[np.int64]:
        """The matrix, [MW, MH]."""
        return as_integers(self.constant_input(1))

    # --- types ------------------------------------------------------------------------------

    def narrow(self, editor: Editor, inputs: Sequence[Range]) -> bool:
        if not self.xnor:
            self.w_type = type_of_values(self.weights())
        return False

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        if self.xnor:
            return [Range.of(np.zeros(self.MH), np.full(self.MH, self.MW))]
        found = matmul(inputs[0].along(self.MW), self.weights())
        return [Range.of(found.low, found.high)]

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        super().set_types(inputs, outputs)
        self.acc_type = outputs[0]

    def channel_links(self) -> list[ChannelLink]:
        return []

    def reads(self) -> NDArray[np.bool_]:
        weights = self.weights()
        return np.ones(weights.shape, dtype=np.bool_) if self.xnor else weights != 0

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.replace_constant(editor, 1, self.constant_input(1)[np.ix_(inputs[0], outputs[0])])
        self.MW, self.MH = len(inputs[0]), len(outputs[0])

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[MVAUFolding]:
        styles: tuple[RamStyle, ...] = ("block", "distributed")
        two_values = self.xnor or is_bipolar(self.w_type)
        dsp = not two_values and dsp_helps(self.x_type, self.w_type)
        for simd, pe in sizes(self.MW, self.MH, MAX_LANES):
            one_word = simd * pe == self.MW * self.MH
            ways = arithmetic(dsp, simd, pe)
            for ram_style in styles[1:] if one_word else styles:
                for res in ways:
                    yield MVAUFolding(PE=pe, SIMD=simd, ram_style=ram_style, resType=res)
            if self._worth_trits() and simd * pe >= FIVE and not one_word:
                yield MVAUFolding(PE=pe, SIMD=simd, ram_style="block", weight_code="trits")
            for reuse in self._reuses:
                yield from self._external_foldings(pe, simd, ways, reuse)
        if embedded_weights.possible(self):
            yield MVAUFolding(PE=self.MH, SIMD=self.MW, mem_mode="internal_embedded")

    def _worth_trits(self) -> bool:
        """Ternary weights, and so many that a code which saves a fifth saves two block RAMs."""
        return is_ternary(self.w_type) and self._weight_bits >= TRITS_FROM_BITS

    def _external_foldings(
        self, pe: int, simd: int, ways: Sequence[Arithmetic], reuse: int
    ) -> Iterator[MVAUFolding]:
        styles: tuple[RamStyle, ...] = ("distributed", "block") if reuse > 1 else ("distributed",)
        for ram_style in reversed(styles):
            for res in ways:
                folding = MVAUFolding(
                    PE=pe,
                    SIMD=simd,
                    ram_style=ram_style,
                    resType=res,
                    mem_mode="external",
                    reuse=reuse,
                )
                if self.external(folding).possible:
                    yield folding

    @cached_property
    def _reuses(self) -> Sequence[int]:
        """For how many vectors, of a frame or of the frames held, a weight word may be used."""
        frames = self.held
        held = frames > 1 and self.vectors == 1
        if not frames or (not held and self._weight_bits < WORTH_FETCHING):
            return ()
        if self.vectors == 1:
            return (frames,)
        found = [d for d in divisors(self.vectors) if MIN_BATCH <= d <= MAX_BATCH]
        chosen = {max((d for d in found if d <= most), default=1) for most in REUSES}
        return (1, *sorted(chosen - {1}))

    @property
    def _weight_bits(self) -> int:
        return self.MW * self.MH * int(self.w_type.bitwidth())

    def offer_external(self, batch: int) -> bool:
        self.held = batch
        vars(self).pop("_reuses", None)
        return bool(self._reuses)

    def is_external(self, folding: MVAUFolding) -> bool:
        """Weights come as a stream."""
        return folding.mem_mode == "external"

    def is_buffered(self, folding: MVAUFolding) -> bool:
        """Vectors wait in buffers so that each external word serves several of them."""
        return self.is_external(folding) and folding.reuse > 1

    def in_logic(self, folding: MVAUFolding) -> bool:
        everything = folding.PE == self.MH and folding.SIMD == self.MW
        return everything and folding.mem_mode == "internal_embedded"

    def batch(self, folding: MVAUFolding) -> int:
        return folding.reuse if self.is_external(folding) and self.vectors == 1 else 1

    def weight_bytes(self, folding: MVAUFolding) -> float:
        if not self.is_external(folding):
            return 0.0
        return self.external(folding).bytes * self.vectors / folding.reuse

    def weights_in(self, folding: MVAUFolding) -> str | None:
        if self.is_external(folding):
            return "external"
        if self.in_logic(folding):
            return "logic"
        return "trits" if folding.weight_code == "trits" else folding.ram_style

    def external(self, folding: MVAUFolding) -> ExternalWeights:
        """The weight stream and the buffers of a folding with external weights."""
        dot = self.dot_product(folding)
        return ExternalWeights(
            reuse=folding.reuse,
            steps=self.steps(folding),
            passes=self.passes(folding),
            word_bits=folding.PE * folding.SIMD * dot.w_bits,
            x_bits=folding.SIMD * dot.x_bits,
            y_bits=folding.PE * self.out_type.bitwidth(),
            block=folding.ram_style == "block",
        )

    def steps(self, folding: MVAUFolding) -> int:
        """SF: steps of a pass."""
        return self.MW // folding.SIMD

    def passes(self, folding: MVAUFolding) -> int:
        """NF: passes over a vector."""
        return self.MH // folding.PE

    def dot_product(self, folding: MVAUFolding) -> DotProduct:
        """The lanes' arithmetic."""
        if folding.resType != "dsp":
            return plan_dot_product(self.x_type, self.w_type, folding.SIMD, xnor=self.xnor)
        return plan_dsp_product(
            self.x_type,
            self.w_type,
            self.weight_range,
            simd=folding.SIMD,
            pe=folding.PE,
            # interleaved sums of several vectors cannot stay in a DSP
            steps=1 if self.is_buffered(folding) else self.steps(folding),
        )

    @cached_property
    def weight_range(self) -> WeightRange:
        """Range of the weights that are there."""
        return WeightRange.of(self.weights())

    def weight_memory(self, folding: MVAUFolding) -> cost.WeightMemory:
        """Shape of the weight memory."""
        width = folding.PE * folding.SIMD * self.dot_product(folding).w_bits
        if self.in_trits(folding):
            width = coded_bits(folding.PE * folding.SIMD)
        depth = self.steps(folding) * self.passes(folding)
        if folding.ram_style == "block":
            return cost.block_weight_memory(width, depth)
        return cost.WeightMemory(width, depth, 1)

    def in_trits(self, folding: MVAUFolding) -> bool:
        """Weights are ternary, and five of them are kept in eight bits."""
        return folding.weight_code == "trits" and is_ternary(self.w_type)

    def weight_latency(self, folding: MVAUFolding) -> int:
        """Cycles from a step to its weights (`qnnc_weight_stream` and a decoder's register, or
        `qnnc_weight_port`)."""
        if self.is_external(folding):
            return 2
        return 2 + int(self.weight_memory(folding).group > 1) + int(self.in_trits(folding))

    def unit(self, folding: MVAUFolding) -> DotUnit:
        """The lanes and their buffers."""
        return DotUnit(
            dot=self.dot_product(folding),
            pe=folding.PE,
            steps=self.steps(folding),
            passes=self.passes(folding),
            x_width=folding.SIMD * self.x_type.bitwidth(),
            acc_bits=self.out_type.bitwidth(),
            weight_latency=self.weight_latency(folding),
        )

    def notes(self, folding: MVAUFolding) -> list[str]:
        """How often weights from memory are used, how many are zero, and what that saves."""
        found = []
        if self.is_external(folding):
            many = f"{folding.reuse} {'frames' if self.vectors == 1 else 'positions'}"
            used = many if folding.reuse > 1 else "one vector"
            found.append(f"weights from memory, each word for {used}")
        weights = self.weights()
        zeros = 1 - np.count_nonzero(weights) / weights.size
        if zeros and not self.xnor:
            saved = "cost nothing" if self.in_logic(folding) else "are stored like any other"
            found.append(f"{zeros:.0%} of the {weights.size:,} weights are zero and {saved}")
        return found

    # --- meaning ----------------------------------------------------------------------------

    def ports(self, folding: MVAUFolding) -> Ports:
        vectors = self.vectors_shape
        return Ports(
            (Stream((*vectors, self.MW), self.x_type, folding.SIMD),),
            (Stream((*vectors, self.MH), self.out_type, folding.PE),),
        )

    def cycles(self, folding: MVAUFolding) -> int:
        return self.steps(folding) * self.passes(folding) * self.vectors

    def latency(self, folding: MVAUFolding) -> int:
        if self.is_buffered(folding):
            vector = self.steps(folding) * self.passes(folding)
            return 2 * folding.reuse * vector + self._external_latency(folding)
        if self.in_logic(folding):
            return embedded_weights.latency(self)
        wait = self.steps(folding) if self.passes(folding) > 1 else 0
        return wait + self.steps(folding) + self.unit(folding).latency

    def schedule(self, folding: MVAUFolding) -> Schedule:
        """A vector at a time; with several passes over it, two more find room meanwhile. With
        external weights, whole batches come, are worked on and leave at once; those of one frame
        leave while the next are worked on."""
        if self.is_buffered(folding):
            return self._buffered_schedule(folding)
        if self.in_logic(folding):
            elements = ([self.vectors * self.MW], [self.vectors * self.MH], [0])
            return Steps(self.vectors, self.vectors, self.latency(folding), *elements).schedule()
        room = 2 * self.MW if self.passes(folding) > 1 else 0
        return Steps(
            self.vectors,
            self.cycles(folding),
            self.unit(folding).latency,
            [self.vectors * self.MW],
            [self.vectors * self.MH],
            [room],
        ).schedule()

    def _buffered_schedule(self, folding: MVAUFolding) -> Schedule:
        count, room = folding.reuse, 2 * folding.reuse * self.MW
        if self.vectors == 1:
            late = self.latency(folding) - self.cycles(folding)
            elements = ([self.MW], [self.MH], [room])
            return Steps(1, self.cycles(folding), late, *elements).schedule()
        vector = self.steps(folding) * self.passes(folding)
        done = np.arange(1, self.vectors + 1, dtype=np.int64)
        needed = -(-done // count) * count * self.MW
        return Schedule(
            np.full(self.vectors, vector, dtype=np.int64),
            (count - 1) * vector + self._external_latency(folding),
            (Intake(needed, done // count * count * self.MW, room),),
            (done * self.MH,),
        )

    def _external_latency(self, folding: MVAUFolding) -> int:
        return self.dot_product(folding).latency + 7

    def resources(self, folding: MVAUFolding) -> Resources:
        return costs.resources(self, folding)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        x, weights = inputs[0], self.weights()
        if self.xnor:
            # equal pairs = x.w + (1-x).(1-w) = x.(2w-1) + sum(1-w)
            product = b.op("MatMul", x, b.constant(2 * weights - 1))
            return [b.op("Add", product, b.constant((1 - weights).sum(axis=0)))]
        # sums on the way may be wider than those at the end
        if not wide_sums(self.x_type, self.out_type, weights):
            return [b.op("MatMul", x, b.constant(weights))]
        x = b.op("Cast", x, to=ir.DataType.DOUBLE)  # wide codes from the host are in float32
        product = b.op("MatMul", x, b.constant(weights, np.float64))
        if carrier(self.out_type) == np.float32:
            product = b.op("Cast", product, to=ir.DataType.FLOAT)
        return [product]
