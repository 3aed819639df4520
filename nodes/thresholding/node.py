# SPDX-License-Identifier: Apache-2.0
"""Thresholding: an activation as a count of thresholds reached.

Three implementations give the same codes. `table` searches each channel's own thresholds.
`factored` computes z = (a * x + b) >> s with two numbers per channel, and searches thresholds that
all channels share. `requant` is that for evenly spaced thresholds, where z is the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
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
from qnnc.compiler.dataflow.channels import ChannelLink, Kept, all_channels
from qnnc.compiler.dataflow.folding import (
    Arithmetic,
    ArithmeticFolding,
    MemoryFolding,
    PEFolding,
)
from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.factoring import Unfactorable, factor
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.ir.facts import IntArray, as_integers, integer
from qnnc.compiler.ir.operators.multi_threshold import Table, count_thresholds, table_codes
from qnnc.compiler.resources import Resources
from qnnc.nodes.thresholding.affine import Affine
from qnnc.nodes.thresholding.search import Search

MIN_BLOCK_DEPTH, MAX_BLOCK_DEPTH = 128, 16384
"""Words of a table from and up to which it is kept in block RAM where that is asked for."""
MIN_STEPS, MIN_TABLE_BITS = 7, 2048
"""Thresholds per channel, and bits of all, below which a table is not worth factoring."""
MAX_WORDS = 32
"""Words that the output FIFO can hold, and so the pipeline."""
Style = Literal["table", "factored", "requant"]
TABLE: Style = "table"
REQUANT: Style = "requant"
_AFFINE = "qnnc.affine"


@dataclass(frozen=True, kw_only=True)
class ThresholdingFolding(ArithmeticFolding, MemoryFolding, PEFolding):
    """PE elements are worked on per cycle.

    Attributes:
        impl_style: which implementation.
    """

    impl_style: Style = "table"


class Thresholding(DataflowNode[ThresholdingFolding]):
    """Inputs x [..., C], thresholds [C or 1, steps] and, for tails that are not monotone, values
    [C or 1, steps + 1]; output [..., C].

    With n thresholds of its channel reached (x >= t), an element becomes ActVal + n, or
    values[channel, n]. Thresholds of a channel ascend.
    """

    op_type = "Thresholding"
    role = Role.THRESHOLDS
    kind = "threshold"
    folding_type = ThresholdingFolding

    channels: int = attributes.integer("NumChannels")
    steps: int = attributes.integer("numSteps", 1)
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    threshold_type: BaseDataType = attributes.integer_type("weightDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")
    base: int = attributes.integer("ActVal", 0)

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        steps: int,
        x: BaseDataType,
        thresholds: BaseDataType,
        out: BaseDataType,
        base: int = 0,
        vectors: Sequence[int] = (1,),
    ) -> NewNode:
        """A table of `steps` thresholds for each channel, unfolded."""
        return cls.new(
            NumChannels=channels,
            PE=1,
            numSteps=steps,
            inputDataType=x.name,
            weightDataType=thresholds.name,
            outputDataType=out.name,
            ActVal=base,
            numInputVectors=list(vectors),
        )

    def thresholds(self) -> NDArray[np.int64]:
        """[C or 1, steps]."""
        return as_integers(self.constant_input(1))

    def values(self) -> NDArray[np.int64] | None:
        """[C or 1, steps + 1], or None where the output is a count."""
        if len(self.node.inputs) < 3 or self.node.inputs[2] is None:
            return None
        return as_integers(self.constant_input(2))

    @property
    def shared(self) -> bool:
        """All channels have the same thresholds."""
        return int(self.constant_input(1).shape[0]) == 1

    @property
    def compare_type(self) -> tuple[int, bool]:
        """Width and signedness in which input and thresholds are compared."""
        both = smallest_type(
            int(min(self.x_type.min(), self.threshold_type.min())),
            int(max(self.x_type.max(), self.threshold_type.max())),
        )
        return both.bitwidth(), both.min() < 0

    # --- types ------------------------------------------------------------------------------

    def narrow(self, editor: Editor, inputs: Sequence[Range]) -> bool:
        """Drop thresholds that no input reaches and those that all do."""
        if self.values() is not None:
            return False
        x, thresholds = inputs[0].along(self.channels), self.thresholds()
        count = thresholds.shape[1]
        # thresholds ascend: those that every channel always reaches lie at the front, those that
        # none ever does at the end
        always = min(int((thresholds <= x.low[:, None]).sum(axis=1).min()), count - 1)
        end = max(int((thresholds <= x.high[:, None]).sum(axis=1).max()), always + 1)
        if end - always == count:
            return False
        kept = thresholds[:, always:end]
        old = self.node.inputs[1]
        assert old is not None and old.const_value is not None
        array = kept.astype(old.const_value.numpy().dtype)
        self.node.replace_input_with(1, editor.initializer(f"{old.name}_pruned", array))
        kind = smallest_type(int(kept.min()), int(kept.max()))
        self.steps, self.threshold_type = kept.shape[1], kind
        self.base += always
        return True

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        values = self.values()
        if values is not None:
            return [Range.of(values.min(axis=1), values.max(axis=1)).along(self.channels)]
        table = Table(self.thresholds(), self.base)
        x = inputs[0].along(self.channels)
        return [Range.of(table_codes(table, x.low[None])[0], table_codes(table, x.high[None])[0])]

    def channel_links(self) -> list[ChannelLink]:
        return all_channels(self.channels)

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = len(inputs[0])
        for index in range(1, len(self.node.inputs)):
            if self.node.inputs[index] is not None and len(self.constant_input(index)) > 1:
                self.replace_constant(editor, index, self.constant_input(index)[inputs[0]])

    def shift_input(self, editor: Editor, amounts: IntArray) -> None:
        moved = self.thresholds() - amounts[:, None]
        self.replace_constant(editor, 1, moved)
        self.threshold_type = smallest_type(int(moved.min()), int(moved.max()))
        values = self.values()
        if values is not None and len(values) == 1:
            self.replace_constant(editor, 2, np.broadcast_to(values, (len(moved), values.shape[1])))

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[ThresholdingFolding]:
        styles = [ThresholdingFolding(), *self._affine_styles()]
        for pe in divisors(self.channels):
            for style in styles:
                folding = replace(style, PE=pe)
                yield folding
                blocks = replace(folding, ram_style="block")
                if any(self.in_block(blocks, depth) for depth in self._depths(blocks)):
                    yield blocks

    def apply(self, folding: ThresholdingFolding) -> None:
        super().apply(folding)
        if folding.impl_style == TABLE:  # FINN's node, nothing more
            for name in ("impl_style", "resType"):
                self.node.attributes.pop(name, None)

    def _affine_styles(self) -> list[ThresholdingFolding]:
        if self.unfactored():
            return []
        affine = self.affine()
        arithmetic: list[Arithmetic] = []
        if affine.tree_fits:
            arithmetic.append("lut")
        if affine.dsp_blocks is not None:
            arithmetic.append("dsp")
        style = affine.form.style
        styles = [ThresholdingFolding(impl_style=style, resType=res) for res in arithmetic]
        return [style for style in styles if self.output_depth(style) <= MAX_WORDS]

    def _depths(self, folding: ThresholdingFolding) -> list[int]:
        """Words of every table of a lane."""
        search = self.search(folding)
        depths = [self.folds(folding) << s for s in range(search.stages)] if search else []
        if folding.impl_style != TABLE:
            depths = [self.rows(folding), self.affine().exception_words(folding.PE)]
        return depths

    def rows(self, folding: ThresholdingFolding) -> int:
        """Channel groups with parameters of their own, one where all channels share them."""
        return 1 if self.shared else self.channels // folding.PE

    def folds(self, folding: ThresholdingFolding) -> int:
        """Rows of the search's tables."""
        return self.rows(folding) if folding.impl_style == TABLE else 1

    @staticmethod
    def in_block(folding: ThresholdingFolding, depth: int) -> bool:
        """A table of so many words is in block RAM."""
        return folding.ram_style == "block" and MIN_BLOCK_DEPTH <= depth <= MAX_BLOCK_DEPTH

    # --- implementations --------------------------------------------------------------------

    def unfactored(self) -> str:
        """Why there is no affine form; empty if there is one."""
        thresholds = self.constant_input(1)
        steps = int(thresholds.shape[1])
        if steps < MIN_STEPS or thresholds.size * self.compare_type[0] < MIN_TABLE_BITS:
            return "the table is small"
        found = self._affine()
        return found if isinstance(found, str) else ""

    def affine(self) -> Affine:
        """The affine map and what is shared after it.

        Raises:
            ModelError: the node asks for it, but its thresholds have none.
        """
        found = self._affine()
        if isinstance(found, str):
            raise ModelError(
                f"node {quote(self.name)}: its thresholds cannot be factored: {found}; "
                'set impl_style to "table"'
            )
        return found

    def _affine(self) -> Affine | str:
        """The affine form or why there is none; found once for the node's constants, and for the
        range of its input as it is then."""
        constants = [value.const_value for value in self.node.inputs[1:] if value is not None]
        kept = self.node.meta.get(_AFFINE)
        if kept is not None and all(a is b for a, b in zip(kept[0], constants, strict=True)):
            found: Affine | str = kept[1]
            return found
        try:
            low, high = self._input_range()
            form = factor(self.thresholds(), self.values(), self.base, low, high)
            found = Affine(form, self.x_type, self.out_type.bitwidth(), self.channels)
        except Unfactorable as reason:
            found = str(reason)
        self.node.meta[_AFFINE] = (constants, found)
        return found

    def _input_range(self) -> tuple[IntArray, IntArray]:
        """Least and greatest input of each row of thresholds."""
        rows = int(self.constant_input(1).shape[0])
        source = self.node.inputs[0]
        fact = integer(source) if source is not None else None
        low, high = np.asarray(self.x_type.min()), np.asarray(self.x_type.max())
        if fact is not None:
            low, high = fact.low.reshape(-1), fact.high.reshape(-1)
        low = low if low.size == rows else low.min()
        high = high if high.size == rows else high.max()
        return (
            np.broadcast_to(low, (rows,)).astype(np.int64),
            np.broadcast_to(high, (rows,)).astype(np.int64),
        )

    def search(self, folding: ThresholdingFolding) -> Search | None:
        """The search of an implementation, if it has one."""
        if folding.impl_style == TABLE:
            return Search(self.thresholds(), *self.compare_type)
        affine = self.affine()
        if affine.form.style == REQUANT:
            return None
        return Search(affine.form.thresholds[None], affine.clip_bits, False)

    def implementation(self, folding: ThresholdingFolding) -> tuple[str, str] | None:
        missing = self.unfactored()
        if missing:
            return TABLE, missing
        affine = self.affine()
        others = [ThresholdingFolding(), *self._affine_styles()]
        parts = []
        for other in others:
            trial = replace(other, PE=folding.PE, ram_style=folding.ram_style)
            used = self.resources(trial).rounded().as_dict()
            named = ", ".join(f"{used[n]:,.0f} {n}" for n in ("LUT", "BRAM18", "DSP") if used[n])
            parts.append(f"{trial.impl_style}{_multiplier(trial)} takes {named or 'nothing'}")
        exceptions = len(affine.form.exceptions)
        if exceptions:
            parts.append(f"{exceptions} inputs are exceptions")
        return folding.impl_style, "; ".join(parts)

    def stage_latency(self, folding: ThresholdingFolding) -> int:
        """Cycles of the whole computation."""
        search = self.search(folding)
        cycles = 2 * search.stages if search else 0
        if folding.impl_style == TABLE:
            return cycles + (1 if self.values() is not None else 0)
        return cycles + self.affine().latency(folding.PE, folding.resType)

    def output_depth(self, folding: ThresholdingFolding) -> int:
        """Words of the output FIFO: as many as can be on their way."""
        return self.stage_latency(folding) + 4

    # --- meaning ----------------------------------------------------------------------------

    def ports(self, folding: ThresholdingFolding) -> Ports:
        shape = (*self.vectors_shape, self.channels)
        return Ports(
            (Stream(shape, self.x_type, folding.PE),),
            (Stream(shape, self.out_type, folding.PE),),
        )

    def cycles(self, folding: ThresholdingFolding) -> int:
        return self.channels // folding.PE * self.vectors

    def latency(self, folding: ThresholdingFolding) -> int:
        return self.stage_latency(folding) + 4

    def resources(self, folding: ThresholdingFolding) -> Resources:
        out_bits = self.out_type.bitwidth()
        depth = self.output_depth(folding)
        total = Resources(
            LUT=2 * cost.bits_for(depth) + 10 + folding.PE * out_bits + self._base_luts(folding),
            FF=folding.PE * out_bits + 20,
        )
        search = self.search(folding)
        if search is not None:
            luts, blocks = search.cost(
                1 if folding.impl_style != TABLE else folding.PE,
                lambda words: folding.impl_style == TABLE and self.in_block(folding, words),
            )
            total += Resources(luts, search.registers(), blocks).scaled(folding.PE)
        total += Resources(LUT=cost.counter(self.rows(folding)))
        if folding.impl_style != TABLE:
            total += self.affine().resources(
                folding.PE, folding.resType, lambda words: self.in_block(folding, words)
            )
        return total

    def _base_luts(self, folding: ThresholdingFolding) -> float:
        """LUTs after the search: what is added to the count, or values looked up."""
        out_bits = self.out_type.bitwidth()
        values = self.values()
        if folding.impl_style == TABLE and values is not None:
            return folding.PE * cost.logic_rom(values[:: folding.PE].reshape(-1), out_bits)
        base = self.base if folding.impl_style == TABLE else self.affine().form.low_code
        return folding.PE * out_bits / 2 if base and folding.impl_style != REQUANT else 0.0

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        dtype = carrier(self.x_type)
        x, thresholds = inputs[0], self.thresholds()
        if dtype == np.float64:
            x = b.op("Cast", x, to=ir.DataType.DOUBLE)  # wide codes from the host are in float32
        return [count_thresholds(b, x, thresholds, self.values(), self.base, dtype)]


def _multiplier(folding: ThresholdingFolding) -> str:
    return "" if folding.impl_style == TABLE else f" with a multiplier of {folding.resType.upper()}"
