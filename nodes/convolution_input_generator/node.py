# SPDX-License-Identifier: Apache-2.0
"""ConvolutionInputGenerator: the windows of an image as vectors (im2col, as a stream)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import attributes, cost
from qnnc.compiler.dataflow.base import (
    DataflowNode,
    NewNode,
    Ports,
    Range,
    Stream,
    divisors,
)
from qnnc.compiler.dataflow.channels import ChannelLink, Kept, repeated_channels
from qnnc.compiler.dataflow.folding import MemoryFolding, SIMDFolding
from qnnc.compiler.dataflow.pixels import gather_pixels
from qnnc.compiler.dataflow.schedule import Intake, Schedule
from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.resources import Resources

BLOCK_BITS = 2048
"""Line buffers smaller than this are not worth a block RAM."""


@dataclass(frozen=True, kw_only=True)
class WindowFolding(MemoryFolding, SIMDFolding):
    """SIMD channels of a pixel come and go per cycle.

    Attributes:
        prefetch: 1 to take in the start of the next frame while working on the end of this one.
    """

    prefetch: int = 0


class ConvolutionInputGenerator(DataflowNode[WindowFolding]):
    """Input x [1, H, W, C], padded already; output [1, OH, OW, KH * KW * C], for each window its
    pixels row by row, all channels of a pixel together.

    A ring of `capacity` pixels holds what windows still need. Pixels are written as they come;
    a window is read when its last pixel is there, and frees the pixels that the next one does
    not need.
    """

    op_type = "ConvolutionInputGenerator"
    short_name = "window"
    kind = "image"
    folding_type = WindowFolding
    keeps_coding = True

    channels: int = attributes.integer("IFMChannels")
    image: tuple[int, int] = attributes.pair("IFMDim")
    kernel: tuple[int, int] = attributes.pair("ConvKernelDim")
    stride: tuple[int, int] = attributes.pair("Stride")
    dilation: tuple[int, int] = attributes.pair("Dilation")
    x_type: BaseDataType = attributes.integer_type("inputDataType")
    out_type: BaseDataType = attributes.integer_type("outputDataType")

    @classmethod
    def create(
        cls,
        *,
        channels: int,
        image: tuple[int, int],
        out_image: tuple[int, int],
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        x: BaseDataType,
    ) -> NewNode:
        """Windows of an image that is padded already."""
        return cls.new(
            ConvKernelDim=list(kernel),
            IFMChannels=channels,
            IFMDim=list(image),
            OFMDim=list(out_image),
            Stride=list(stride),
            Dilation=list(dilation),
            SIMD=1,
            inputDataType=x.name,
            outputDataType=x.name,
            depthwise=0,
        )

    def __init__(self, node: ir.Node) -> None:
        super().__init__(node)
        self.window = Window(self.image, self.kernel, self.stride, self.dilation, (0, 0), (0, 0))

    def channel_links(self) -> list[ChannelLink]:
        return repeated_channels(self.channels, self.window.elements)

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        self.channels = len(inputs[0])

    # --- folding ----------------------------------------------------------------------------

    def foldings(self) -> Iterable[WindowFolding]:
        for simd in divisors(self.channels):
            for prefetch in (0, 1):
                folding = WindowFolding(SIMD=simd, prefetch=prefetch)
                yield folding
                pixel = self.channels * self.x_type.bitwidth()
                if self.capacity(folding) * pixel >= BLOCK_BITS:
                    yield replace(folding, ram_style="block")

    @property
    def span(self) -> int:
        """Pixels from the first to the last of a window, in the order in which they come."""
        (rows, columns), width = self.window.reach, self.window.image[1]
        return (rows - 1) * width + columns

    def capacity(self, folding: WindowFolding) -> int:
        """Pixels in the ring: the fewest with which reading hardly waits; with prefetch,
        the first window of the next frame finds room beside the last one of this frame."""
        if folding.prefetch:
            return 2 * self.span + self.window.stride[1]
        return ring_pixels(self.window)

    def make_room(self) -> bool:
        folding = self.folding()
        if folding.prefetch:
            return False
        self.apply(replace(folding, prefetch=1))
        return True

    def notes(self, folding: WindowFolding) -> list[str]:
        text = f"a ring of {self.capacity(folding)} pixels"
        return [text + ", the next frame's first window among them" if folding.prefetch else text]

    def depth(self, folding: WindowFolding) -> int:
        """Words in the ring."""
        return self.capacity(folding) * (self.channels // folding.SIMD)

    # --- meaning ----------------------------------------------------------------------------

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        x, count = inputs[0].along(self.channels), self.window.elements
        return [Range.of(np.tile(x.low, count), np.tile(x.high, count))]

    def ports(self, folding: WindowFolding) -> Ports:
        shape = (1, *self.window.image, self.channels)
        out = (1, *self.window.out, self.window.elements * self.channels)
        return Ports(
            (Stream(shape, self.x_type, folding.SIMD),),
            (Stream(out, self.x_type, folding.SIMD),),
        )

    def cycles(self, folding: WindowFolding) -> int:
        return ring_cycles(self.window, self.capacity(folding)) * (self.channels // folding.SIMD)

    def latency(self, folding: WindowFolding) -> int:
        return self.span * (self.channels // folding.SIMD) + 3

    def schedule(self, folding: WindowFolding) -> Schedule:
        """A window at a time, from the ring."""
        window, channels = self.window, self.channels
        height, width = window.image
        rows = np.arange(window.out[0])[:, None] * window.stride[0] * width
        corners = (rows + np.arange(window.out[1]) * window.stride[1]).reshape(-1)
        freed = np.append(corners[1:], height * width)
        count, room = window.elements * channels, self.capacity(folding) * channels
        return Schedule(
            np.full(corners.size, count // folding.SIMD, dtype=np.int64),
            3,
            (Intake((corners + self.span) * channels, freed * channels, room),),
            (np.arange(1, corners.size + 1) * count,),
        )

    def resources(self, folding: WindowFolding) -> Resources:
        width = folding.SIMD * self.x_type.bitwidth()
        depth = self.depth(folding)
        (kh, kw), (oh, ow) = self.window.kernel, self.window.out
        address = cost.bits_for(depth)
        luts = sum(cost.counter(n) for n in (kh, kw, oh, ow, self.channels // folding.SIMD))
        luts += cost.counter(depth) + cost.counter(self.channels // folding.SIMD)
        luts += 4.5 * address + 2.5 * cost.bits_for(self.capacity(folding) + 1) + 12
        ffs = 3 * address + 22
        if folding.ram_style == "block":
            ram = cost.block_ram(width, depth)
            return Resources(LUT=luts + ram.LUT, FF=ffs, BRAM18=ram.BRAM18)
        return Resources(LUT=luts + cost.lut_ram(width, depth), FF=ffs + width)

    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        shape = (1, *self.window.out, self.window.elements * self.channels)
        return [gather_pixels(b, inputs[0], self.window.indices(), shape, self.channels)]


@lru_cache(maxsize=1024)
def ring_pixels(window: Window) -> int:
    """The smallest of some sizes with which a frame takes at most 2 % longer than it must."""
    (rows, columns), (height, width) = window.reach, window.image
    span = (rows - 1) * width + columns
    sizes = [span + window.stride[1], span + columns, span + window.stride[0] * width + columns]
    sizes += [span + (window.stride[0] * width + span) // 2, 2 * span + width, 3 * span]
    sizes = sorted({max(s, span + 1) for s in sizes})
    floor = max(height * width, window.out[0] * window.out[1] * window.elements)
    for size in sizes:
        if ring_cycles(window, size) <= 1.02 * floor:
            return size
    best = min(ring_cycles(window, size) for size in sizes)
    return next(size for size in sizes if ring_cycles(window, size) <= 1.02 * best)


@lru_cache(maxsize=4096)
def ring_cycles(window: Window, capacity: int) -> int:
    """Steady cycles between frames at one word per pixel, found by following three frames.

    A pixel takes a cycle to write, once there is room; a window takes a cycle for each of its
    elements, once its last pixel is there.
    """
    (height, width), (oh, ow) = window.image, window.out
    pixels, count = height * width, window.elements
    span = (window.reach[0] - 1) * width + window.reach[1]
    corners = (
        (np.arange(oh) * window.stride[0])[:, None] * width + np.arange(ow) * window.stride[1]
    ).reshape(-1)
    frames = 3
    starts = np.concatenate([corners + f * pixels for f in range(frames)]).tolist()
    starts.append(frames * pixels)
    written: list[int] = []  # when each pixel was complete
    freed, now, before = 0, 0, 0
    for window_start, next_start in pairwise(starts):
        needed = window_start + span
        _write(written, min(needed, freed + capacity), 0)
        now = max(now, written[needed - 1]) + count
        # while the window was read, pixels came in as long as there was room
        _write_until(written, freed + capacity, now)
        freed = next_start
        _write(written, min(len(written) + 1, freed + capacity), now)
        if next_start == (frames - 1) * pixels:
            before = now
    return now - before


def _write(written: list[int], until: int, not_before: int) -> None:
    last = written[-1] if written else 0
    while len(written) < until:
        last = max(last, not_before) + 1
        written.append(last)


def _write_until(written: list[int], limit: int, time: int) -> None:
    last = written[-1] if written else 0
    while len(written) < limit and last < time:
        last += 1
        written.append(last)
