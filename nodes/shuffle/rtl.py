# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of Shuffle."""

from qnnc.nodes.shared.reordering.rtl import generate

__all__ = ["generate"]
