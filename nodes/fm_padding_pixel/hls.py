# SPDX-License-Identifier: Apache-2.0
"""C++ of FMPadding_Pixel."""

from __future__ import annotations

from qnnc.nodes.fm_padding_pixel.node import FMPadding_Pixel
from qnnc.nodes.shared.border.hls import BorderHls


class Hls(BorderHls[FMPadding_Pixel]):
    """`qnnc::spread`."""

    function = "spread"

    @property
    def arguments(self) -> tuple[int, ...]:
        return self.node.apart
