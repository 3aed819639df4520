# SPDX-License-Identifier: Apache-2.0
"""Proving a compiled graph equal to the quantized one."""

from __future__ import annotations

from qnnc.compiler.verification.compare import Outcome
from qnnc.compiler.verification.corners import corner_samples
from qnnc.compiler.verification.coverage import Coverage, Figures
from qnnc.compiler.verification.golden import Golden
from qnnc.compiler.verification.verifier import Verifier

__all__ = ["Coverage", "Figures", "Golden", "Outcome", "Verifier", "corner_samples"]
