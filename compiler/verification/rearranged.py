# SPDX-License-Identifier: Apache-2.0
"""Layers still in floating point: a pass may compute the same sum in another order.

Splitting a Gemm into MatMul and Add, say, changes the last bits of its float32 output. Such an
output must be the golden one but for rounding; what follows from it is then compared with what
the golden operators make of it, as after exact sums. Once layers are integers, they are compared
without this.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.verification.compare import Outcome, flat
from qnnc.compiler.verification.golden import Golden

LAYERS = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "Add"})
RELATIVE = 2.0**-12
"""Rounding allowed, relative to the largest element of a sample: a sum of K products in float32
is off by at most K 2**-24 of the sum of their magnitudes."""


def floating_layers(model: ir.Model, golden: Golden) -> list[ir.Value]:
    """Outputs of layers computed in floating point, of tensors that the golden graph has too."""
    found = []
    for node in model.graph:
        value = node.outputs[0] if node.outputs else None
        if value is None or node.domain != "" or node.op_type not in LAYERS:
            continue
        data = [v for v in node.inputs if v is not None and constant(v) is None]
        if value.name in golden.tensors and integer(value) is None and data:
            found.append(value)
    return found


def compare_rearranged(
    outcome: Outcome, name: str, found: NDArray[np.float32], golden: NDArray[np.float32]
) -> None:
    """The same numbers [samples, ...] but for the order in which they were summed.

    Raises:
        ModelError: their shapes differ.
    """
    mine, theirs = flat(found).astype(np.float64), flat(golden).astype(np.float64)
    if mine.shape != theirs.shape or len(mine) != len(outcome.diverged) or not theirs.size:
        raise ModelError(
            f"tensor {quote(name)}: its first dimension is not the batch; keep the samples of a "
            "batch apart"
        )
    largest = np.abs(np.where(np.isfinite(theirs), theirs, 0)).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # sums that overflow are equal, or not near
        near = np.abs(mine - theirs) <= RELATIVE * largest
    bad = ~(near | (mine == theirs) | (np.isnan(mine) & np.isnan(theirs)))
    bad &= ~outcome.diverged[:, None]
    outcome.tensors += 1
    outcome.record(bad, name, name, theirs, mine)
