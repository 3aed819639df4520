# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a Thresholding: a pipelined binary search for each lane."""

from __future__ import annotations

import numpy as np

from qnnc.backends.design import BLOCK, LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish, packed
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.nodes.thresholding.affine_rtl import generate_affine
from qnnc.nodes.thresholding.node import TABLE, Thresholding, ThresholdingFolding
from qnnc.nodes.thresholding.search import Search

TEMPLATES = Templates(__name__)


def generate(node: Thresholding) -> NodeRtl:
    """The node under the folding in its attributes."""
    folding = node.folding()
    if folding.impl_style != TABLE:
        return generate_affine(node, folding)
    search, values, folds = node.search(folding), node.values(), node.folds(folding)
    assert search is not None
    x_bits, out_bits = node.x_type.bitwidth(), node.out_type.bitwidth()
    memories = _memories(node, search, folding)
    base = (node.base - search.missing) % (1 << out_bits)
    text = TEMPLATES.render(
        "thresholding.sv.j2",
        channels=node.channels,
        pe=folding.PE,
        steps=search.thresholds.shape[1],
        parameters=list(memories),
        x_bits=x_bits,
        out_bits=out_bits,
        inputs=[
            _widened(f"in_{lane}", x_bits, search.bits - x_bits, node.x_type.min() < 0)
            for lane in range(folding.PE)
        ],
        folds=folds,
        fold_bits=bits_for(folds),
        tables=search.stages + int(values is not None),
        search=stages_of(node, search, folding, "TABLE_@_{stage}"),
        values=None if values is None else _table(folds, search.stages),
        base_term=f" + {out_bits}'d{base}" if base else "",
        latency=node.stage_latency(folding),
        depth=node.output_depth(folding),
    )
    return finish(node, text, memories)


def stages_of(
    node: Thresholding, search: Search, folding: ThresholdingFolding, file: str
) -> dict[str, object]:
    """What the template needs of a search; @ stands for the lane."""
    folds = node.folds(folding)
    return {
        "bits": search.bits,
        "signed": int(search.signed),
        "stages": [
            {
                "number": stage,
                "style": BLOCK if _in_block(node, folding, folds << stage) else LOGIC,
                "file": file.format(stage=stage),
                **_table(folds, stage),
            }
            for stage in range(search.stages)
        ],
    }


def _in_block(node: Thresholding, folding: ThresholdingFolding, words: int) -> bool:
    return folding.impl_style == TABLE and node.in_block(folding, words)


def _table(folds: int, stage: int) -> dict[str, object]:
    """Depth and address of a stage's table: channel fold, then the decisions so far."""
    parts = [f"fold_{stage}"] if folds > 1 else []
    parts += [f"index_@_{stage - 1}"] if stage else []
    return {
        "depth": folds << stage,
        "address_bits": max(1, (bits_for(folds) if folds > 1 else 0) + stage),
        "address": "{" + ", ".join(parts) + "}" if parts else "1'b0",
    }


def _widened(net: str, bits: int, extra: int, signed: bool) -> str:
    """A net extended by `extra` bits."""
    fill = f"{net}[{bits - 1}]" if signed else "1'b0"
    return f"{{{{{extra}{{{fill}}}}}, {net}}}" if extra else net


def _memories(
    node: Thresholding, search: Search, folding: ThresholdingFolding
) -> dict[str, Memory]:
    memories = {}
    for lane in range(folding.PE):
        for stage, table in enumerate(search.tables(lane, folding.PE)):
            memories[f"TABLE_{lane}_{stage}"] = Memory(
                packed(table[:, None], search.bits),
                search.bits,
                BLOCK if node.in_block(folding, len(table)) else LOGIC,
                f"stage_{lane}_{stage}.table_rom",
            )
    values = node.values()
    if values is not None:
        bits = node.out_type.bitwidth()
        full = np.pad(values, ((0, 0), ((1 << search.stages) - values.shape[1], 0)))
        for lane in range(folding.PE):
            mine = full[lane :: folding.PE] if not node.shared else full
            memories[f"VALUES_{lane}"] = Memory(
                packed(mine.reshape(-1, 1), bits), bits, LOGIC, f"values_{lane}"
            )
    return memories
