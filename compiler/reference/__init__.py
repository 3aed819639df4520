# SPDX-License-Identifier: Apache-2.0
"""Reference expansion into plain ONNX, and running it in ONNX Runtime."""

from __future__ import annotations

from qnnc.compiler.reference.batches import BatchRunner
from qnnc.compiler.reference.execution import Session, Tensors
from qnnc.compiler.reference.expansion import expand

__all__ = ["BatchRunner", "Session", "Tensors", "expand"]
