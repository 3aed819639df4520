# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a matrix-vector lane: products, compressor tree, accumulator.

All lanes of a unit are instances of one module, kept as such by synthesis and simulation, so
that both work on it once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from qnnc.backends.rtl.compressor import GatedRows, TreeText, TreeWriter, Vector
from qnnc.compiler.dataflow.dot_product import DotProduct, PlaneRows, RowAddition, plane_worths

Heap = tuple[dict[int, Vector], dict[int, Vector], list[GatedRows]]


def lane_module(name: str, dot: DotProduct, sf: int, acc_bits: int, batch: int = 1) -> str:
    """A lane for passes of `sf` steps; `total` is the sum of `acc_bits` bits, two's complement.
    With a `batch`, sums of so many vectors are interleaved.

    Activations and weights come as bit planes (`qnnc_plane_register`).
    """
    tree = TreeWriter(dot.tree, "t").write(*_heap(dot))
    before = [*_planes("x", dot.simd, dot.x_bits), *_planes("w", dot.simd, dot.w_bits)]
    if dot.scheme == "ternary":
        before += _ternary_products(dot.simd)
    ports = ["input wire aclk", "input wire aresetn"]
    ports += [f"input wire [{dot.simd * dot.x_bits - 1}:0] x"]
    ports += [f"input wire [{dot.simd * dot.w_bits - 1}:0] w"]
    after = []
    numbers = [(result, dot.tree.width) for result in tree.results]
    if dot.correction:
        width = dot.correction.width
        ports += [f"input wire [{width - 1}:0] complement"]
        late = max(0, dot.correction.latency - dot.tree.latency)
        after += [
            f"wire [{dot.tree.width - 1}:0] tree = {tree.results[0]};",
            *_delay("tree_q", "tree", dot.tree.width, late),
        ]
        numbers = [("{tree_q, 1'b0}", dot.tree.width + 1), ("complement", width)]
    ports += ["input wire valid", "input wire last", f"output wire [{acc_bits - 1}:0] total"]
    after += accumulator("partial", numbers, "total", acc_bits, sf, dot.offset, batch)
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
        f"wire [{width - 1}:0] sum = {tree.results[0]};",
        *_delay("sum_q", "sum", width, late),
        "assign complement = ~sum_q;",
    ]
    return module_text(name, ports, _planes("x", dot.simd, dot.x_bits), [tree], after)


def accumulator(
    name: str,
    numbers: Sequence[Vector],
    total: str,
    acc_bits: int,
    sf: int,
    offset: int,
    batch: int = 1,
) -> list[str]:
    """Lines that add up one or two numbers over the steps of a pass.

    Args:
        name: for the nets.
        numbers: expressions, unsigned, and their widths.
        total: net of the sum, `acc_bits` wide.
        sf: steps of a pass.
        offset: added in every step.
        batch: sums that are interleaved.
    """
    lines, rows = [], []
    for index, (expression, width) in enumerate(numbers):
        row = f"{name}_{index}"
        lines += [f"wire [{acc_bits + width - 1}:0] {row} = {{{acc_bits}'d0, {expression}}};"]
        rows += [f"{row}[{acc_bits - 1}:0]"]
    return [
        *lines,
        "qnnc_accumulator #(",
        f"    .WIDTH({acc_bits}),",
        f"    .ROWS({len(rows)}),",
        f"    .SF({sf}),",
        f"    .BATCH({batch}),",
        f"    .START({acc_bits}'d{(sf * offset) % (1 << acc_bits)})",
        f") {name}_accumulator (",
        "    .aclk(aclk),",
        "    .aresetn(aresetn),",
        f"    .partial({{{', '.join(rows)}}}),",
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


def _ternary_products(simd: int) -> list[str]:
    nets = ("x_0", "x_1", "w_0", "w_1")
    ports = [f".{net}({net})" for net in nets] + [".one(product_one)", ".two(product_two)"]
    return [
        f"wire [{simd - 1}:0] product_one, product_two;",
        f"qnnc_ternary_product #(.COUNT({simd})) products ({', '.join(ports)});",
    ]


def _heap(dot: DotProduct) -> Heap:
    """Gated pairs and plain bits, one vector per column, and gated rows."""
    if dot.scheme == "xnor":
        return {0: ("~(x_0 ^ w_0)", dot.simd)}, {}, []
    if dot.scheme == "ternary":
        return {}, {0: ("product_one", dot.simd), 1: ("product_two", dot.simd)}, []
    if dot.rows is None:
        inverted = "~" if dot.x_signed != dot.w_signed else ""
        return {0: (f"{inverted}(x_0 & w_0)", dot.simd)}, {}, []
    return _row_heap(dot, dot.rows)


def _row_heap(dot: DotProduct, rows: PlaneRows) -> Heap:
    x_worths = plane_worths(dot.x_bits, dot.x_signed)
    w_worths = plane_worths(dot.w_bits, dot.w_signed)
    row, gate = ("x", "w") if rows.of_x else ("w", "x")
    row_worths, gate_worths = (x_worths, w_worths) if rows.of_x else (w_worths, x_worths)
    half, last = dot.simd // 2, dot.simd - 1

    def part(addition: RowAddition, side: int) -> str:
        return f"[{last}]" if addition.last else f"[{side * half}+:{half}]"

    def inverted(p: int | None, q: int) -> bool:
        return p is not None and row_worths[p][1] != gate_worths[q][1]

    pairs: defaultdict[int, list[str]] = defaultdict(list)
    for p, q in rows.singles:
        no = "~" if inverted(p, q) else ""
        pairs[p + q].append(f"{no}({row}_{p}[{last}] & {gate}_{q}[{last}])")
    gated = []
    for a in rows.additions:
        planes = [
            ["1'b0" if p is None else f"{row}_{p}{part(a, side)}" for p in a.planes[side]]
            for side in (0, 1)
        ]
        gates = [f"{gate}_{a.gates[side]}{part(a, side)}" for side in (0, 1)]
        masks = [[inverted(p, a.gates[side]) for p in a.planes[side]] for side in (0, 1)]
        gated.append(GatedRows((planes[0], planes[1]), (gates[0], gates[1]), (masks[0], masks[1])))
    vectors = {c: ("{" + ", ".join(parts) + "}", len(parts)) for c, parts in pairs.items()}
    return vectors, {}, gated


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
