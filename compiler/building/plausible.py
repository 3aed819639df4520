# SPDX-License-Identifier: Apache-2.0
"""Whether inputs are of the size that a network was trained for.

Images of bytes given to a network that wants numbers from 0 to 1 saturate its first quantizer:
everything is compiled and compared as it should be, and the answers are worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import quote
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.verification import Golden

EXPONENTS = range(-8, 17, 2)
"""Powers of two that an input is tried in."""
ELEMENTS = 512
"""That are tried of an input."""
LOST = 0.02
"""Where codes distinguish no more than that, the input is lost."""
FOUND = 0.2
"""What they distinguish at a better size."""


def size_warning(model: ir.Model, golden: Golden, inputs: Mapping[str, NDArray[np.float32]]) -> str:
    """A warning if inputs are far too large or far too small for the first quantizer;
    else an empty string. A quantizer of two values shows nothing.

    Args:
        model: as imported, the input declared.
        inputs: samples [n, ...] by input; only one input is looked at.
    """
    first = _first_quantizer(model, golden)
    largest = max(float(np.abs(array).max()) for array in inputs.values())
    if len(inputs) != 1 or first is None or largest == 0:
        return ""
    name, array = next(iter(inputs.items()))
    shape = (max(1, ELEMENTS // max(1, array[0].size)), *array.shape[1:])
    uniform = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    found: dict[float, NDArray[np.float32]] = {}
    for reach in (largest, *(2.0**exponent for exponent in EXPONENTS)):
        found[reach] = golden.run({name: uniform * np.float32(reach)}, [first])[first]
    every = np.concatenate([codes.reshape(-1) for codes in found.values()])
    shares = {
        reach: _distinguished(codes, every.min(), every.max()) for reach, codes in found.items()
    }
    best = max(shares, key=lambda reach: shares[reach])
    if shares[largest] > LOST or shares[best] < FOUND:
        return ""
    what = "saturate" if largest > best else "are indistinguishable to"
    return (
        f"inputs up to {largest:g} at {quote(name)} {what} the first quantizer ({quote(first)}), "
        f"which distinguishes values of about {best:g}; is --input-scale missing or wrong, such as "
        "1/255?"
    )


def _distinguished(codes: NDArray[np.float32], low: float, high: float) -> float:
    """How far codes distinguish their inputs: the share that is not at the quantizer's ends, or
    the share that differs from the most frequent code, whichever is less."""
    between = float(np.mean((codes > low) & (codes < high)))
    _, counts = np.unique(codes, return_counts=True)
    return min(between, 1 - float(counts.max()) / codes.size)


def _first_quantizer(model: ir.Model, golden: Golden) -> str | None:
    for node in model.graph:
        if quantizer(node) is not None and node.outputs[0].name in golden.tensors:
            return str(node.outputs[0].name)
    return None
