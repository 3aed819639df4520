# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of VVAU."""

from qnnc.nodes.shared.channel_fold.rtl import generate

__all__ = ["generate"]
