# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a ConvolutionInputGenerator."""

from __future__ import annotations

from qnnc.backends.design import NodeRtl
from qnnc.backends.rtl.rtl_node import Templates, finish
from qnnc.compiler.dataflow.cost import bits_for, block_ram
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator

TEMPLATES = Templates(__name__)


def generate(node: ConvolutionInputGenerator) -> NodeRtl:
    """A ring of pixels, written in order and read window by window."""
    folding, window = node.folding(), node.window
    words, depth = node.channels // folding.SIMD, node.depth(folding)
    (kh, kw), (oh, ow) = window.kernel, window.out
    (dh, dw), (sh, sw) = window.dilation, window.stride
    height, width = window.image
    # pixels freed by going on to the next window, the next row of windows, the next frame
    freed = [sw, sh * width - (ow - 1) * sw]
    freed.append(height * width - (oh - 1) * sh * width - (ow - 1) * sw)
    # words from one read to the next: within a pixel, a row, a window, and after each of them
    last = ((kh - 1) * dh * width + (kw - 1) * dw) * words + words - 1
    jumps = [1, (dw - 1) * words + 1]
    jumps.append((dh * width - (kw - 1) * dw - 1) * words + 1)
    jumps += [pixels * words - last for pixels in freed]
    abits = bits_for(depth)
    capacity = node.capacity(folding)
    reach = max(capacity, *freed) + 1
    width_in_bits = folding.SIMD * node.x_type.bitwidth()
    block = folding.ram_style == "block"
    counts = (words, kw, kh, ow, oh)
    names = ("word", "kernel_column", "kernel_row", "column", "row")
    text = TEMPLATES.render(
        "convolution_input_generator.sv.j2",
        about=f"{kh} x {kw} windows of {height} x {width} pixels of {node.channels} channels",
        capacity=capacity,
        span=node.span,
        words=words,
        width=width_in_bits,
        fill_bits=bits_for(reach + 1) + 2,
        abits=abits,
        depth=depth,
        levels=[{"name": n, "count": c} for n, c in zip(names, counts, strict=True)],
        jump=_choice([f"{abits + 1}'d{jump % depth}" for jump in jumps], counts),
        jump_back=_choice(
            [f"{abits + 1}'d{(jump % depth - depth) % (2 << abits)}" for jump in jumps], counts
        ),
        freed=_choice([f"{bits_for(reach + 1) + 2}'sd{f}" for f in freed], counts[3:], first=3),
        block=int(block),
        bank=block_ram(width_in_bits, depth).bank if block else 0,
    )
    return finish(node, text)


def _choice(constants: list[str], counts: tuple[int, ...], first: int = 0) -> str:
    """The constant after the innermost loop that is not at its end; loops of one step always
    are."""
    text = constants[-1]
    for level in reversed(range(len(counts))):
        if counts[level] > 1:
            text = f"~last_{first + level} ? {constants[level]} : {text}"
    return text
