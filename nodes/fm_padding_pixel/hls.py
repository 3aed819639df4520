# SPDX-License-Identifier: Apache-2.0
"""C++ of FMPadding_Pixel."""

from qnnc.nodes.shared.border.hls import Hls

__all__ = ["Hls"]
