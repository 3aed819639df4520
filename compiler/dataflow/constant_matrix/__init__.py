# SPDX-License-Identifier: Apache-2.0
"""A constant matrix as logic: y = x W for one word of x per cycle, weights in the wiring."""

from qnnc.compiler.dataflow.constant_matrix.plan import MatrixPlan, OutputPlan, plan_matrix
from qnnc.compiler.dataflow.constant_matrix.terms import Operand, Term

__all__ = ["MatrixPlan", "Operand", "OutputPlan", "Term", "plan_matrix"]
