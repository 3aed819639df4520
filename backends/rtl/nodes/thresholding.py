# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a Thresholding: a pipelined binary search for each lane."""

from __future__ import annotations

import numpy as np

from qnnc.backends.design import BLOCK, LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import finish, packed, render
from qnnc.compiler.dataflow import DataflowNode, Folding
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.compiler.dataflow.thresholding import Thresholding


def generate(node: DataflowNode) -> NodeRtl:
    """The node under the folding in its attributes."""
    assert isinstance(node, Thresholding)
    folding = node.folding()
    bits, signed = node.compare_type
    x_bits, out_bits = node.x_type.bitwidth(), node.out_type.bitwidth()
    stages, folds = node.stages, node.folds(folding)
    has_values = node.values() is not None
    memories = _memories(node, folding)
    base = (node.base - _missing(node)) % (1 << out_bits)
    text = render(
        "thresholding.sv.j2",
        channels=node.channels,
        pe=folding.PE,
        steps=int(node.attr("numSteps")),
        stages=stages,
        parameters=list(memories),
        x_bits=x_bits,
        out_bits=out_bits,
        bits=bits,
        signed=int(signed),
        inputs=[
            _widened(f"in_{lane}", x_bits, bits - x_bits, node.x_type.min() < 0)
            for lane in range(folding.PE)
        ],
        folds=folds,
        fold_bits=bits_for(folds),
        tables=stages + int(has_values),
        address_bits=[_address_bits(folds, stage) for stage in range(stages + 1)],
        addresses=[_address(folds, stage) for stage in range(stages + 1)],
        styles=[BLOCK if node.in_block(folding, s) else LOGIC for s in range(stages)],
        has_values=has_values,
        base_term=f" + {out_bits}'d{base}" if base else "",
        latency=node.stage_latency(),
        depth=node.output_depth(folding),
    )
    return finish(node, text, memories)


def _widened(net: str, bits: int, extra: int, signed: bool) -> str:
    """A net extended by `extra` bits."""
    fill = f"{net}[{bits - 1}]" if signed else "1'b0"
    return f"{{{{{extra}{{{fill}}}}}, {net}}}" if extra else net


def _address_bits(folds: int, stage: int) -> int:
    return max(1, (bits_for(folds) if folds > 1 else 0) + stage)


def _address(folds: int, stage: int) -> str:
    """Table address: channel fold, then the decisions so far; @ stands for the lane."""
    parts = [f"fold_{stage}"] if folds > 1 else []
    parts += [f"index_@_{stage - 1}"] if stage else []
    return "{" + ", ".join(parts) + "}" if parts else "1'b0"


def _memories(node: Thresholding, folding: Folding) -> dict[str, Memory]:
    bits, _ = node.compare_type
    stages = node.stages
    memories = {}
    for lane, tables in enumerate(node.stage_tables(folding)):
        for stage, table in enumerate(tables):
            memories[f"TABLE_{lane}_{stage}"] = Memory(
                packed(table[:, None], bits),
                bits,
                BLOCK if node.in_block(folding, stage) else LOGIC,
                f"stage_{lane}_{stage}.table_rom",
            )
    values = node.values()
    if values is not None:
        bits = node.out_type.bitwidth()
        width = 1 << stages
        full = np.pad(values, ((0, 0), (width - values.shape[1], 0)))
        for lane in range(folding.PE):
            mine = full[lane :: folding.PE] if not node.shared else full
            memories[f"VALUES_{lane}"] = Memory(
                packed(mine.reshape(-1, 1), bits), bits, LOGIC, f"values_{lane}"
            )
    return memories


def _missing(node: Thresholding) -> int:
    """Places of the search tree that the thresholds leave free."""
    return (1 << node.stages) - 1 - int(node.attr("numSteps"))
