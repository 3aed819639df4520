# SPDX-License-Identifier: Apache-2.0
"""A second opinion on what a quantized ONNX model computes. Nothing here imports qnnc.

`Oracle` evaluates the user's file node by node in float64 and knows, for every element, all the
numbers that correct float32 arithmetic may give; `executors` runs the untouched file in QONNX's
executor or in ONNX Runtime.
"""

from __future__ import annotations

from tests.oracle.evaluate import Fault, Oracle, Run

__all__ = ["Fault", "Oracle", "Run"]
