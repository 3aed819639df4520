# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of Pool, GlobalAccPool and VVAU: a ring of results, one for each channel."""

from __future__ import annotations

import numpy as np

from qnnc.backends.design import BLOCK, LOGIC, LUTS, Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, codes, extended, finish, packed
from qnnc.compiler.dataflow import DataflowNode, Folding
from qnnc.compiler.dataflow.dot_product import is_bipolar
from qnnc.nodes.pool.node import Pool
from qnnc.nodes.shared.channel_fold.node import ChannelFold
from qnnc.nodes.vvau.node import VVAU

TEMPLATES = Templates(__name__)

PRODUCT_CYCLES = 2
"""Cycles of a product: operands and product registered."""


def generate(node: DataflowNode) -> NodeRtl:
    """The node under the folding in its attributes."""
    assert isinstance(node, ChannelFold)
    folding = node.folding()
    memories = {"WEIGHTS_FILE": _weights(node, folding)} if isinstance(node, VVAU) else {}
    weights: dict[str, int] | None = None
    wait, product = 1, 0
    if isinstance(node, VVAU):
        weights = {"group": node.weight_memory(folding).group, "style": _style(folding)}
        wait, product = node.weight_latency(folding), PRODUCT_CYCLES
    maximum = isinstance(node, Pool) and node.function == "MaxPool"
    latency = wait + product
    text = TEMPLATES.render(
        "channel_fold.sv.j2",
        about=f"{node.op_type}: {node.channels} channels, {node.window} elements, PE {folding.PE}",
        groups=node.groups(folding),
        window=node.window,
        pe=folding.PE,
        x_bits=node.x_type.bitwidth(),
        w_bits=node.w_type.bitwidth() if isinstance(node, VVAU) else 0,
        out_bits=node.out_type.bitwidth(),
        signed=node.out_type.min() < 0,
        weights=weights,
        weight_latency=wait,
        latency=latency,
        maximum=maximum,
        terms=[
            _product(node, folding, lane) if isinstance(node, VVAU) else _element(node, lane)
            for lane in range(folding.PE)
        ],
        depth=latency + 5,
    )
    return finish(node, text, memories)


def _element(node: ChannelFold, lane: int) -> str:
    """The element itself, as wide as the result."""
    bits, out_bits = node.x_type.bitwidth(), node.out_type.bitwidth()
    top = f"x[{lane * bits + bits - 1}]"
    value = extended(f"x[{lane * bits}+:{bits}]", top, bits, out_bits, node.x_type.min() < 0)
    return f"  wire [{out_bits - 1}:0] term_{lane} = {value};"


def _product(node: VVAU, folding: Folding, lane: int) -> str:
    """The element times its weight, two cycles later."""
    x_bits, w_bits, out_bits = (
        node.x_type.bitwidth(),
        node.w_type.bitwidth(),
        node.out_type.bitwidth(),
    )
    x, w = f"x[{lane * x_bits}+:{x_bits}]", f"w[{lane * w_bits}+:{w_bits}]"
    lines = []
    if node.xnor:
        lines += [
            f"wire same_{lane};",
            "qnnc_delay #(",
            "    .WIDTH(1),",
            f"    .CYCLES({PRODUCT_CYCLES})",
            f") product_{lane} (",
            "    .aclk(aclk),",
            f"    .in(~({x} ^ {w})),",
            f"    .out(same_{lane})",
            ");",
            f"wire [{out_bits - 1}:0] term_{lane} = same_{lane};",
        ]
    else:
        x_signed, w_signed = node.x_type.min() < 0, node.w_type.min() < 0
        module, width = "qnnc_small_product", x_bits + w_bits
        if folding.resType == "dsp":
            module = "qnnc_dsp_product"
        if is_bipolar(node.w_type):
            module, width = "qnnc_sign_product", x_bits + 1
        lines += [
            f"wire [{width - 1}:0] product_{lane};",
            f"{module} #(",
            f"    .A_BITS({x_bits}),",
            f"    .A_SIGNED({int(x_signed)}),",
            f"    .B_BITS({w_bits}),",
            f"    .B_SIGNED({int(w_signed)})",
            f") product_of_{lane} (",
            "    .aclk(aclk),",
            f"    .a({x}),",
            f"    .b({w}),",
            f"    .p(product_{lane})",
            ");",
        ]
        signed = x_signed or w_signed
        value = extended(
            f"product_{lane}[{min(width, out_bits) - 1}:0]",
            f"product_{lane}[{width - 1}]",
            width,
            out_bits,
            signed,
        )
        lines.append(f"wire [{out_bits - 1}:0] term_{lane} = {value};")
    return "\n".join(f"  {line}" for line in lines)


def _style(folding: Folding) -> int:
    return BLOCK if folding.ram_style == "block" else LUTS


def _weights(node: VVAU, folding: Folding) -> Memory:
    """Weights in the order of use: word k * groups + g holds those of PE channels."""
    shape = node.weight_memory(folding)
    bits = node.w_type.bitwidth()
    values = codes(node.weights(), is_bipolar(node.w_type))
    words = values.reshape(node.window * node.groups(folding), folding.PE)
    missing = shape.rows * shape.group - shape.depth
    rows = np.pad(words, ((0, missing), (0, 0))).reshape(shape.rows, -1)
    return Memory(
        packed(rows, bits),
        shape.group * shape.width,
        LOGIC if shape.depth == 1 else _style(folding),
        "weights.stream.rom",
    )
