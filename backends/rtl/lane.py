# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a matrix-vector lane: products, compressor tree, accumulator.

All lanes of a unit are instances of one module, kept as such by synthesis and simulation, so
that both work on it once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from qnnc.backends.rtl.compressor import TreeText, TreeWriter, Vector
from qnnc.compiler.dataflow.dot_product import DotProduct, plane_worths

Heap = tuple[dict[int, Vector], dict[int, Vector]]


def lane_module(name: str, dot: DotProduct, sf: int, acc_bits: int) -> str:
    """A lane for passes of `sf` steps; `total` is the sum of `acc_bits` bits, two's complement.

    Activations and weights come as bit planes (`qnnc_plane_register`).
    """
    pairs, bits = _heap(dot)
    tree = TreeWriter(dot.tree, "t").write(pairs, bits)
    width = dot.partial_bits
    before = [*_planes("x", dot.simd, dot.x_bits), *_planes("w", dot.simd, dot.w_bits)]
    ports = ["input wire aclk", "input wire aresetn"]
    ports += [f"input wire [{dot.simd * dot.x_bits - 1}:0] x"]
    ports += [f"input wire [{dot.simd * dot.w_bits - 1}:0] w"]
    after = [f"wire [{dot.tree.width - 1}:0] tree = {tree.result};"]
    if dot.correction:
        ports += [f"input wire [{dot.correction.width - 1}:0] complement"]
        late = max(0, dot.correction.latency - dot.tree.latency)
        after += [
            *_delay("tree_q", "tree", dot.tree.width, late),
            f"reg [{width - 1}:0] partial;",
            "always @(posedge aclk) partial <= {tree_q, 1'b0} + complement;",
        ]
    else:
        after += [f"wire [{width - 1}:0] partial = tree;"]
    ports += ["input wire valid", "input wire last", f"output wire [{acc_bits - 1}:0] total"]
    after += accumulator("partial", width, "total", acc_bits, sf, dot.offset)
    return module_text(name, ports, before, [tree], after)


def correction_module(name: str, dot: DotProduct) -> str:
    """The module that counts sum(x) once for all lanes and hands out its complement.

    It comes with the lanes' trees, which add it to twice their result.
    """
    assert dot.correction is not None
    bits = {
        p: (f"{'~' if sign < 0 else ''}x_{p}", dot.simd)
        for p, sign in plane_worths(dot.x_bits, dot.x_signed)
    }
    tree = TreeWriter(dot.correction, "t").write({}, bits)
    width = dot.correction.width
    ports = [
        "input wire aclk",
        f"input wire [{dot.simd * dot.x_bits - 1}:0] x",
        f"output wire [{width - 1}:0] complement",
    ]
    late = max(0, dot.tree.latency - dot.correction.latency)
    after = [
        f"wire [{width - 1}:0] sum = {tree.result};",
        *_delay("sum_q", "sum", width, late),
        "assign complement = ~sum_q;",
    ]
    return module_text(name, ports, _planes("x", dot.simd, dot.x_bits), [tree], after)


def accumulator(
    partial: str, width: int, total: str, acc_bits: int, sf: int, offset: int
) -> list[str]:
    """Lines that add up a net of `width` bits over the steps of a pass.

    Args:
        partial: the net, unsigned.
        total: net of the sum, `acc_bits` wide.
        sf: steps of a pass.
        offset: added in every step.
    """
    return [
        f"wire [{acc_bits + width - 1}:0] {partial}_padded = {{{acc_bits}'d0, {partial}}};",
        "qnnc_accumulator #(",
        f"    .WIDTH({acc_bits}),",
        f"    .SF({sf}),",
        f"    .START({acc_bits}'d{(sf * offset) % (1 << acc_bits)})",
        f") {partial}_accumulator (",
        "    .aclk(aclk),",
        "    .aresetn(aresetn),",
        f"    .partial({partial}_padded[{acc_bits - 1}:0]),",
        "    .valid(valid),",
        "    .last(last),",
        f"    .total({total})",
        ");",
    ]


def _delay(name: str, net: str, width: int, cycles: int) -> list[str]:
    """Lines that declare `name` as a net of some cycles ago."""
    return [
        f"wire [{width - 1}:0] {name};",
        "qnnc_delay #(",
        f"    .WIDTH({width}),",
        f"    .CYCLES({cycles})",
        f") delay_{net} (",
        "    .aclk(aclk),",
        f"    .in({net}),",
        f"    .out({name})",
        ");",
    ]


def _planes(port: str, simd: int, bits: int) -> list[str]:
    """Names x_0, x_1, … for the bit planes of a port."""
    return [f"wire [{simd - 1}:0] {port}_{p} = {port}[{p * simd}+:{simd}];" for p in range(bits)]


def _heap(dot: DotProduct) -> Heap:
    """Gated pairs and plain bits of the heap: one vector a column."""
    pairs: defaultdict[int, list[str]] = defaultdict(list)
    bits: defaultdict[int, list[str]] = defaultdict(list)
    if dot.scheme == "xnor":
        pairs[0].append("~(x_0 ^ w_0)")
    elif dot.scheme == "ternary":
        # a ternary number's bit 0 says that it is not zero, bit 1 that it is -1
        bits[0].append("~(x_0 & w_0)")
        bits[1].append("(x_0 & w_0 & ~(x_1 ^ w_1))")
    else:
        w_planes = [(0, 1)] if dot.correction else plane_worths(dot.w_bits, dot.w_signed)
        for p, x_sign in plane_worths(dot.x_bits, dot.x_signed):
            for q, w_sign in w_planes:
                pairs[p + q].append(f"{'~' if x_sign != w_sign else ''}(x_{p} & w_{q})")
    return _joined(pairs, dot.simd), _joined(bits, dot.simd)


def _joined(columns: defaultdict[int, list[str]], simd: int) -> dict[int, Vector]:
    return {c: ("{" + ", ".join(parts) + "}", simd * len(parts)) for c, parts in columns.items()}


def module_text(
    name: str,
    ports: Sequence[str],
    before: Sequence[str],
    trees: Sequence[TreeText],
    after: Sequence[str],
) -> str:
    """A module that synthesis keeps whole, from its ports and its lines."""
    lines = ["(* keep_hierarchy *)", f"module {name} ("]
    lines += [",\n".join(f"    {port}" for port in ports), ");"]
    lines += [f"  {line}" for line in before]
    for tree in trees:
        lines += [f"  {line}" for line in tree.declarations]
        if tree.statements:
            lines.append("  always @(posedge aclk) begin")
            lines += [f"    {statement}" for statement in tree.statements]
            lines.append("  end")
    lines += [f"  {line}" for line in after]
    lines.append("endmodule")
    return "\n".join(lines) + "\n"
