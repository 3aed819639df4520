# SPDX-License-Identifier: Apache-2.0
"""Thresholding: an activation as a count of thresholds reached, by binary search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.base import DataflowNode, Folding, Ports, Range, Stream, divisors
from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.ir.facts import as_integers
from qnnc.compiler.ir.operators.multi_threshold import Table, count_thresholds, table_codes
from qnnc.compiler.resources import Resources

MIN_BLOCK_DEPTH = 128
"""Tables less deep than this stay in logic even where block RAM is asked for."""


class Thresholding(DataflowNode):
    """Inputs x [..., C], thresholds [C or 1, steps] and, for tails that are not monotone, values
    [C or 1, steps + 1]; output [..., C].

    With n thresholds of its channel reached (x >= t), an element becomes ActVal + n, or
    values[channel, n]. Thresholds of a channel ascend. The search looks at one threshold a
    stage, ceil(log2(steps + 1)) stages, each with a table of its own.
    """

    op_type = "Thresholding"
    folding_attributes = ("PE", "ram_style")

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.channels = int(self.attr("NumChannels"))
        self.x_type = self.type_attr("inputDataType")
        self.threshold_type = self.type_attr("weightDataType")
        self.out_type = self.type_attr("outputDataType")
        self.base = int(self.attr("ActVal", 0))

    def thresholds(self) -> NDArray[np.int64]:
        """[C or 1, steps]."""
        return as_integers(self.constant_input(1))

    def values(self) -> NDArray[np.int64] | None:
        """[C or 1, steps + 1], or None where the output is a count."""
        if len(self.node.inputs) < 3 or self.node.inputs[2] is None:
            return None
        return as_integers(self.constant_input(2))

    @property
    def stages(self) -> int:
        """Stages of the binary search."""
        return int(self.attr("numSteps")).bit_length()

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
        low, high = x.low[:, None], x.high[:, None]
        useful = np.any((thresholds > low) & (thresholds <= high), axis=0)
        always = int(np.all(thresholds <= low, axis=0).sum())
        if not useful.any():
            useful[:1], always = True, min(always, thresholds.shape[1] - 1)
        if useful.all():
            return False
        # thresholds ascend: those of no use lie at either end
        kept = thresholds[:, always : int(np.flatnonzero(useful)[-1]) + 1]
        old = self.node.inputs[1]
        assert old is not None and old.const_value is not None
        array = kept.astype(old.const_value.numpy().dtype)
        self.node.replace_input_with(1, editor.initializer(f"{old.name}_pruned", array))
        kind = smallest_type(int(kept.min()), int(kept.max()))
        self.base += always
        self.set_attrs(numSteps=kept.shape[1], ActVal=self.base, weightDataType=kind.name)
        return True

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        values = self.values()
        if values is not None:
            return [Range.of(values.min(axis=1), values.max(axis=1)).along(self.channels)]
        table = Table(self.thresholds(), self.base, None, -1)
        x = inputs[0].along(self.channels)
        return [Range.of(table_codes(table, x.low[None])[0], table_codes(table, x.high[None])[0])]

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[Folding]:
        for pe in divisors(self.channels):
            yield Folding(PE=pe)
            blocks = Folding(PE=pe, ram_style="block")
            if any(self.in_block(blocks, stage) for stage in range(self.stages)):
                yield blocks

    def folds(self, folding: Folding) -> int:
        """Rows of the tables: channel groups, one where all channels share thresholds."""
        return 1 if self.shared else self.channels // folding.PE

    def in_block(self, folding: Folding, stage: int) -> bool:
        """The table of a stage is in block RAM."""
        depth = self.folds(folding) << stage
        return folding.ram_style == "block" and MIN_BLOCK_DEPTH <= depth <= 16384

    def stage_tables(
        self, folding: Folding, lanes: int | None = None
    ) -> list[list[NDArray[np.int64]]]:
        """The search's tables, by lane and stage; of the first `lanes` lanes only, if given.

        Stage s of a lane holds, for each of its channels, the 2**s thresholds that the search may
        look at then. Where steps + 1 is no power of two, the search tree is filled up at the
        front with a threshold that is always reached.
        """
        bits, signed = self.compare_type
        always = -(1 << (bits - 1)) if signed else 0
        missing = (1 << self.stages) - 1 - int(self.attr("numSteps"))
        full = np.pad(self.thresholds(), ((0, 0), (missing, 0)), constant_values=always)
        tables = []
        for lane in range(folding.PE if lanes is None else lanes):
            mine = full if self.shared else full[lane :: folding.PE]
            stages = []
            for stage in range(self.stages):
                step = 1 << (self.stages - 1 - stage)
                looked_at = np.arange(1 << stage) * 2 * step + step - 1
                stages.append(mine[:, looked_at].reshape(-1))
            tables.append(stages)
        return tables

    def stage_latency(self) -> int:
        """Cycles of the whole search."""
        return 2 * self.stages + (1 if self.values() is not None else 0)

    def output_depth(self, folding: Folding) -> int:
        """Words of the output FIFO: as many as can be on their way."""
        return self.stage_latency() + 4

    # --- meaning ----------------------------------------------------------------------------

    def ports(self, folding: Folding) -> Ports:
        vectors = tuple(self.attr("numInputVectors", [1]))
        shape = (*vectors, self.channels)
        return Ports(
            (Stream(shape, self.x_type, folding.PE),),
            (Stream(shape, self.out_type, folding.PE),),
        )

    def cycles(self, folding: Folding) -> int:
        return self.channels // folding.PE * self.vectors

    def latency(self, folding: Folding) -> int:
        return self.stage_latency() + 4

    def resources(self, folding: Folding) -> Resources:
        bits, _ = self.compare_type
        out_bits = self.out_type.bitwidth()
        lane, blocks = 0.0, 0
        # lanes differ in contents but hardly in cost: the first stands for all
        tables = self.stage_tables(folding, lanes=1)[0]
        for stage in range(self.stages):
            depth = self.folds(folding) << stage
            lane += cost.comparator(bits) if depth > 1 else bits / 4
            if self.in_block(folding, stage):
                blocks += cost.block_rom(bits, depth)
            else:
                lane += cost.logic_rom(tables[stage], bits)
        values = self.values()
        if values is not None:
            lane += cost.logic_rom(values[:: folding.PE].reshape(-1), out_bits)
        elif self.base:
            lane += out_bits / 2
        depth = self.output_depth(folding)
        luts = folding.PE * lane + cost.counter(self.folds(folding))
        luts += 2 * cost.bits_for(depth) + 10 + folding.PE * out_bits
        ffs = folding.PE * (self.stages * (3 * bits + self.stages) + out_bits) + 20
        return Resources(LUT=luts, FF=ffs, BRAM18=folding.PE * blocks)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        dtype = carrier(self.x_type)
        thresholds = self.thresholds()
        return [count_thresholds(b, inputs[0], thresholds, self.values(), self.base, dtype)]
