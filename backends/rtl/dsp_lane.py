# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of the lanes of a matrix-vector unit that share DSP48E1s."""

from __future__ import annotations

from qnnc.backends.rtl.compressor import TreeText, TreeWriter
from qnnc.backends.rtl.lane import accumulator, module_text
from qnnc.compiler.dataflow.dsp_packing import Chain, DspGroup


def dsp_lane_module(name: str, group: DspGroup, sf: int, acc_bits: int, batch: int = 1) -> str:
    """Lanes for passes of `sf` steps; `total` holds a sum of `acc_bits` bits, two's complement,
    for each lane.

    Activations come element by element, weights as the digits of all elements of the first lane,
    then of the second. With a `batch`, sums of so many vectors are interleaved.
    """
    ports = ["input wire aclk", "input wire aresetn"]
    ports += [f"input wire [{group.simd * group.x_bits - 1}:0] x"]
    ports += [f"input wire [{group.fields * group.simd * group.digit_bits - 1}:0] w"]
    ports += ["input wire valid", "input wire last"]
    ports += [f"output wire [{group.fields * acc_bits - 1}:0] total"]
    if group.accumulate:
        return module_text(name, ports, [], [], _accumulating(group, acc_bits))
    before, first = [], 0
    for index, chain in enumerate(group.chains):
        before += _chain(group, chain, index, first)
        first += chain.count
    trees: list[TreeText] = []
    after = []
    for field in range(group.fields):
        tree = TreeWriter(group.tree, f"t{field}").write({}, _heap(group, field))
        trees.append(tree)
        numbers = [(result, group.tree.width) for result in tree.results]
        total = f"total[{field * acc_bits}+:{acc_bits}]"
        offset = group.offset(field)
        after += accumulator(f"partial_{field}", numbers, total, acc_bits, sf, offset, batch)
    return module_text(name, ports, before, trees, after)


def _accumulating(group: DspGroup, acc_bits: int) -> list[str]:
    return [
        "qnnc_dsp_accumulator #(",
        f"    .FIELDS({group.fields}),",
        f"    .SPACING({group.spacing}),",
        *_operand_parameters(group),
        f"    .WIDTH({acc_bits})",
        ") sum (",
        "    .aclk(aclk),",
        "    .aresetn(aresetn),",
        "    .x(x),",
        "    .w(w),",
        "    .valid(valid),",
        "    .last(last),",
        "    .totals(total)",
        ");",
    ]


def _operand_parameters(group: DspGroup) -> list[str]:
    return [
        f"    .X_BITS({group.x_bits}),",
        f"    .X_SIGNED({int(group.x_signed)}),",
        f"    .W_BITS({group.digit_bits}),",
        f"    .W_SIGNED({int(group.w_signed)}),",
    ]


def _chain(group: DspGroup, chain: Chain, index: int, first: int) -> list[str]:
    """The chain that takes activations from `first` on."""
    x_bits, w_bits = group.x_bits, group.digit_bits
    starts = sum(start << (field * group.spacing) for field, start in enumerate(chain.starts))
    step = 1 << group.overlap
    rests = sum((-start % step) << (2 * field) for field, start in enumerate(chain.starts))
    weights = [
        f"w[{(field * group.simd + first) * w_bits}+:{chain.count * w_bits}]"
        for field in reversed(range(group.fields))
    ]
    return [
        f"wire [{group.fields * chain.width - 1}:0] sums_{index};",
        "qnnc_dsp_chain #(",
        f"    .COUNT({chain.count}),",
        f"    .LEVELS({group.levels}),",
        f"    .FIELDS({group.fields}),",
        f"    .SPACING({group.spacing}),",
        f"    .OVERLAP({group.overlap}),",
        *_operand_parameters(group),
        f"    .WIDTH({chain.width}),",
        f"    .STARTS(48'd{starts}),",
        f"    .RESTS({2 * group.fields}'d{rests})",
        f") chain_{index} (",
        "    .aclk(aclk),",
        f"    .x(x[{first * x_bits}+:{chain.count * x_bits}]),",
        f"    .w({{{', '.join(weights)}}}),",
        f"    .sums(sums_{index})",
        ");",
    ]


def _heap(group: DspGroup, field: int) -> dict[int, tuple[str, int]]:
    """The chains' sums of a lane, column by column."""
    heap = {}
    for column in range(max(chain.width for chain in group.chains)):
        bits = [
            f"sums_{index}[{field * chain.width + column}]"
            for index, chain in enumerate(group.chains)
            if chain.width > column
        ]
        heap[column] = ("{" + ", ".join(bits) + "}", len(bits))
    return heap
