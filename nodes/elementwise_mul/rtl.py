# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of ElementwiseMul."""

from qnnc.nodes.shared.elementwise.rtl import generate

__all__ = ["generate"]
