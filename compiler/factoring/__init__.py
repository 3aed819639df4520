# SPDX-License-Identifier: Apache-2.0
"""Thresholds of all channels from one function: an affine map per channel, then what they share.

A tail is mostly one function after a per-channel affine map (batch norm, scales). Then
thresholds[c, i] is the first integer x with a_c * x + b_c >= T_i, and a table of channels x steps
thresholds shrinks to one pair (a_c, b_c) per channel and one T_i per step. `factor` finds integers
a, b and T that give the very same codes for every x of every channel's range, or says why not.
"""

from __future__ import annotations

from qnnc.compiler.factoring.factored import Factored, Unfactorable, factor
from qnnc.compiler.factoring.staircase import Staircase, staircase

__all__ = ["Factored", "Staircase", "Unfactorable", "factor", "staircase"]
