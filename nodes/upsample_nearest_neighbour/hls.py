# SPDX-License-Identifier: Apache-2.0
"""C++ of UpsampleNearestNeighbour."""

from qnnc.nodes.shared.reordering.hls import Hls

__all__ = ["Hls"]
