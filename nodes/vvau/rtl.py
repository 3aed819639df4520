# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of VVAU: products with weights, summed up as by a pool."""

from __future__ import annotations

import numpy as np

from qnnc.backends.design import LOGIC, Memory, NodeRtl
from qnnc.backends.rtl.rtl_node import codes, extended, packed, ram_style
from qnnc.compiler.dataflow.dot_product import is_bipolar
from qnnc.nodes.shared.channel_fold import rtl as channel_fold
from qnnc.nodes.vvau.node import VVAU, VVAUFolding

PRODUCT_CYCLES = 2
"""Cycles of a product: operands and product registered."""


def generate(node: VVAU) -> NodeRtl:
    """The node under the folding in its attributes."""
    folding = node.folding()
    products = channel_fold.Products(
        memory=_weights(node, folding),
        bits=node.w_type.bitwidth(),
        group=node.weight_memory(folding).group,
        style=ram_style(folding.ram_style),
        weight_latency=node.weight_latency(folding),
        cycles=PRODUCT_CYCLES,
        terms=[_product(node, folding, lane) for lane in range(folding.PE)],
    )
    return channel_fold.generate(node, products)


def _product(node: VVAU, folding: VVAUFolding, lane: int) -> str:
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


def _weights(node: VVAU, folding: VVAUFolding) -> Memory:
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
        LOGIC if shape.depth == 1 else ram_style(folding.ram_style),
        "weights.stream.rom",
    )
