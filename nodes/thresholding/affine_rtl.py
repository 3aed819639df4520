# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a Thresholding with an affine map in front: factored or requant."""

from __future__ import annotations

from collections import defaultdict

from qnnc.backends.design import BLOCK, LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.compressor import TreeText, TreeWriter
from qnnc.backends.rtl.rtl_node import MODULE, Templates, finish, packed
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.compiler.dataflow.dot_product import plane_worths
from qnnc.nodes.thresholding.affine import Affine, constant_terms
from qnnc.nodes.thresholding.node import Thresholding, ThresholdingFolding

TEMPLATES = Templates(__name__)


def generate_affine(node: Thresholding, folding: ThresholdingFolding) -> NodeRtl:
    """The node under a folding whose style is not the table."""
    affine, search = node.affine(), node.search(folding)
    out_bits, res = node.out_type.bitwidth(), folding.resType
    memories = _memories(node, affine, folding)
    base = (affine.form.low_code - (search.missing if search else 0)) % (1 << out_bits)
    low, high = affine.clip_range
    check_low, check_high = affine.clip_checks
    folds = affine.folds(folding.PE)
    text = TEMPLATES.render(
        "affine_thresholding.sv.j2",
        style=affine.form.style,
        channels=node.channels,
        pe=folding.PE,
        shift=affine.form.shift,
        parameters=list(memories),
        x_bits=node.x_type.bitwidth(),
        x_wide=affine.x_bits,
        out_bits=out_bits,
        folds=folds,
        fold_bits=bits_for(folds),
        a_bits=affine.slope_bits,
        a_wide=affine.factor_bits,
        b_bits=affine.parameter_bits(res) - affine.slope_bits,
        zeros=affine.form.intercept_zeros,
        parameter_style=BLOCK if node.in_block(folding, folds) else LOGIC,
        multiplier=res,
        blocks=affine.dsp_blocks,
        wide=int(affine.dsp_wide),
        sum_bits=affine.sum_bits,
        lanes=_lanes(node, affine, folding),
        clip={
            "bits": affine.clip_bits,
            "low": low,
            "high": high,
            "even": int(affine.form.even),
            "check_low": int(check_low),
            "check_high": int(check_high),
        },
        search=None if search is None else _search(search.bits, search.stages),
        base_term=f" + {out_bits}'d{base}" if base else "",
        latency=node.stage_latency(folding),
        depth=node.output_depth(folding),
    )
    if res == "lut":
        text += _products(affine, folding.PE)
    return finish(node, text, memories)


def _search(bits: int, stages: int) -> dict[str, object]:
    """What the template needs of the search; all lanes have the same tables, in logic."""
    return {
        "bits": bits,
        "signed": 0,
        "stages": [
            {
                "number": stage,
                "style": LOGIC,
                "file": f"TABLE_{stage}",
                "depth": 1 << stage,
                "address_bits": max(1, stage),
                "address": f"index_@_{stage - 1}" if stage else "1'b0",
            }
            for stage in range(stages)
        ],
    }


def _lanes(
    node: Thresholding, affine: Affine, folding: ThresholdingFolding
) -> list[dict[str, object]]:
    """What the template needs of each lane."""
    lanes: list[dict[str, object]] = []
    slope_bits = affine.slope_bits
    width = affine.parameter_bits(folding.resType)
    trees = affine.trees(folding.PE)
    latency = affine.multiplier_latency(folding.PE, folding.resType)
    x_bits = affine.x_type.bitwidth()
    for lane in range(folding.PE):
        row = lane if affine.form.rows > 1 else 0
        x = f"x[{lane * x_bits}+:{x_bits}]"
        found: dict[str, object] = {
            "tree": "",
            "x": x if affine.x_signed else f"{{1'b0, {x}}}",
            "exceptions": _exceptions(node, affine, folding, lane),
        }
        if not affine.constant(folding.PE):
            found["a"] = f"parameters[{lane * width}+:{slope_bits}]"
            if folding.resType == "dsp" and not affine.slope_signed:
                found["a"] = f"{{1'b0, {found['a']}}}"
            found["b"] = f"parameters[{lane * width + slope_bits}+:{width - slope_bits}]"
        elif folding.resType == "dsp":
            a, b = (int(v) for v in affine.parameters(folding.PE, "dsp")[0, lane])
            found["a"] = f"{affine.factor_bits}'d{a % (1 << affine.factor_bits)}"
            found["b"] = f"{width - slope_bits}'d{b % (1 << (width - slope_bits))}"
        else:
            found["tree"] = f"row_{row}"
            found["wait"] = latency - trees[row].latency
        lanes.append(found)
    return lanes


def _exceptions(
    node: Thresholding, affine: Affine, folding: ThresholdingFolding, lane: int
) -> dict[str, object] | None:
    if not len(affine.form.exceptions):
        return None
    tables = affine.exception_tables(folding.PE)
    table = tables[lane % len(tables)]
    folds = affine.folds(folding.PE)
    used = affine.x_type.bitwidth() + (bits_for(folds) if folds > 1 else 0)
    return {
        "file": lane,
        "key_bits": affine.key_bits,
        "spare": affine.key_bits - used,
        "address_bits": table.address_bits,
        "value_bits": table.value_bits,
        "mixing": table.mixing,
        "style": BLOCK if node.in_block(folding, 1 << table.address_bits) else LOGIC,
        # found after three cycles, added in the last one
        "wait": node.stage_latency(folding) - 4,
    }


def _memories(
    node: Thresholding, affine: Affine, folding: ThresholdingFolding
) -> dict[str, Memory]:
    memories = {}
    folds = affine.folds(folding.PE)
    if folds > 1:
        width = affine.parameter_bits(folding.resType)
        words = affine.parameters(folding.PE, folding.resType)
        a = words[:, :, 0] & ((1 << affine.slope_bits) - 1)
        b = words[:, :, 1] & ((1 << (width - affine.slope_bits)) - 1)
        memories["PARAMETERS_FILE"] = Memory(
            [
                sum(
                    (int(a[fold, lane]) | int(b[fold, lane]) << affine.slope_bits) << lane * width
                    for lane in range(folding.PE)
                )
                for fold in range(folds)
            ],
            folding.PE * width,
            BLOCK if node.in_block(folding, folds) else LOGIC,
            "parameter_rom",
        )
    search = node.search(folding)
    for stage, table in enumerate(search.tables(0, 1) if search else []):
        memories[f"TABLE_{stage}"] = Memory(
            packed(table[:, None], affine.clip_bits), affine.clip_bits, LOGIC, f"stage_0_{stage}"
        )
    if len(affine.form.exceptions):
        tables = affine.exception_tables(folding.PE)
        for lane in range(folding.PE):
            exceptions = tables[lane % len(tables)]
            width = exceptions.tag_bits + exceptions.value_bits
            style = BLOCK if node.in_block(folding, exceptions.entries.shape[1]) else LOGIC
            for way in range(2):
                memories[f"EXCEPTIONS_{lane}_{way}"] = Memory(
                    [int(entry) for entry in exceptions.entries[way]],
                    width,
                    style,
                    f"exceptions_{lane}.way_{way}",
                )
    return memories


def _products(affine: Affine, lanes: int) -> str:
    """Modules of the multipliers: one for all lanes, or one for each row where a lane has one."""
    if not affine.constant(lanes):
        return _product(affine)
    return "".join(_row_product(affine, row) for row in range(affine.form.rows))


def _product(affine: Affine) -> str:
    """a * x + b with a and b from a memory."""
    x_bits, width = affine.x_type.bitwidth(), affine.sum_bits
    pairs: defaultdict[int, list[str]] = defaultdict(list)
    for p, x_sign in plane_worths(x_bits, affine.x_signed):
        for q, a_sign in plane_worths(affine.slope_bits, affine.slope_signed):
            if p + q < width:
                pairs[p + q].append(f"{'~' if x_sign != a_sign else ''}(x[{p}] & a[{q}])")
    bits = {c: (f"b[{c - affine.tree_zeros}]", 1) for c in range(affine.tree_zeros, width)}
    joined = {c: ("{" + ", ".join(terms) + "}", len(terms)) for c, terms in pairs.items()}
    tree = TreeWriter(affine.tree, "t").write(joined, bits)
    ports = [
        "input wire aclk",
        f"input wire [{x_bits - 1}:0] x",
        f"input wire [{affine.slope_bits - 1}:0] a",
        f"input wire [{width - affine.tree_zeros - 1}:0] b",
        f"output wire [{width - 1}:0] sum",
    ]
    return _module(f"{MODULE}_product", ports, tree)


def _row_product(affine: Affine, row: int) -> str:
    """a * x + b with constant a and b."""
    terms, constant = constant_terms(affine, row)
    columns: defaultdict[int, list[str]] = defaultdict(list)
    for column, bit, complemented in terms:
        columns[column].append(f"{'~' if complemented else ''}x[{bit}]")
    for column in range(affine.sum_bits):
        if constant >> column & 1:
            columns[column].append("1'b1")
    bits = {c: ("{" + ", ".join(parts) + "}", len(parts)) for c, parts in columns.items()}
    plan = affine.trees(affine.channels)[row]
    tree = TreeWriter(plan, "t").write({}, bits)
    ports = [
        "input wire aclk",
        f"input wire [{affine.x_type.bitwidth() - 1}:0] x",
        f"output wire [{affine.sum_bits - 1}:0] sum",
    ]
    return _module(f"{MODULE}_row_{row}", ports, tree)


def _module(name: str, ports: list[str], tree: TreeText) -> str:
    results = tree.results or ["0"]
    lines = [f"\nmodule {name} (", ",\n".join(f"    {port}" for port in ports), ");"]
    lines += [f"  {line}" for line in tree.declarations]
    lines.append("  always @(posedge aclk) begin")
    lines += [f"    {statement}" for statement in tree.statements]
    lines += ["  end", f"  assign sum = {results[0]};", "endmodule"]
    return "\n".join(lines) + "\n"
