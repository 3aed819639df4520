# SPDX-License-Identifier: Apache-2.0
"""C++ of VVAU."""

from qnnc.nodes.shared.channel_fold.hls import Hls

__all__ = ["Hls"]
