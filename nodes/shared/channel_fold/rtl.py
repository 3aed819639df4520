# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of Pool, GlobalAccPool and VVAU: a ring of results, one for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qnnc.backends.design import Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, extended, finish
from qnnc.nodes.shared.channel_fold.node import ChannelFold, F

TEMPLATES = Templates(__name__)


@dataclass(frozen=True)
class Products:
    """Products with weights, as the terms of a node's sums.

    Attributes:
        memory: the weights.
        bits: of a weight.
        group: words of weights side by side in a row of the memory.
        style: what the memory is made of.
        weight_latency: cycles from a step to its weights.
        cycles: of a product.
        terms: SystemVerilog of a net `term_<lane>` for each lane.
    """

    memory: Memory
    bits: int
    group: int
    style: int
    weight_latency: int
    cycles: int
    terms: Sequence[str]


def generate(node: ChannelFold[F], products: Products | None = None) -> NodeRtl:
    """The node under the folding in its attributes.

    Args:
        products: what is summed up; by default the elements themselves.
    """
    folding = node.folding()
    wait = products.weight_latency if products else 1
    latency = wait + (products.cycles if products else 0)
    text = TEMPLATES.render(
        "channel_fold.sv.j2",
        about=f"{node.op_type}: {node.channels} channels, {node.window} elements, PE {folding.PE}",
        groups=node.groups(folding),
        window=node.window,
        pe=folding.PE,
        x_bits=node.x_type.bitwidth(),
        w_bits=products.bits if products else 0,
        out_bits=node.out_type.bitwidth(),
        signed=node.out_type.min() < 0,
        weights={"group": products.group, "style": products.style} if products else None,
        weight_latency=wait,
        latency=latency,
        maximum=node.maximum,
        terms=products.terms if products else [_element(node, n) for n in range(folding.PE)],
        depth=latency + 5,
    )
    return finish(node, text, {"WEIGHTS_FILE": products.memory} if products else {})


def _element(node: ChannelFold[F], lane: int) -> str:
    """The element itself, as wide as the result."""
    bits, out_bits = node.x_type.bitwidth(), node.out_type.bitwidth()
    top = f"x[{lane * bits + bits - 1}]"
    value = extended(f"x[{lane * bits}+:{bits}]", top, bits, out_bits, node.x_type.min() < 0)
    return f"  wire [{out_bits - 1}:0] term_{lane} = {value};"
