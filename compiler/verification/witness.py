# SPDX-License-Identifier: Apache-2.0
"""The golden graph against the network that it was exported from, where that can still be run.

Exporters are not always right: what they write need not be what the network computes. The two
sum in different orders, and float32 may round a sum across a step of a quantizer; then a few
elements differ. A fault of the exporter shows in many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.frontend import Witness
from qnnc.compiler.verification.golden import Golden

TOLERANCE = 1e-3
"""Of the largest magnitude: float32 rounding of sums is below, a step of 8 bits above."""
SAMPLES = 64


@dataclass(frozen=True)
class Testimony:
    """What a comparison found.

    Attributes:
        samples: compared.
        elements: of the outputs of all samples.
        differ: those that differ by more than rounding.
        largest: the largest difference, as a share of the largest output.
        layer: the first layer of the network that no tensor of the golden graph agrees with in
            more than SCATTERED of its elements, or an empty string.
    """

    samples: int
    elements: int
    differ: int
    largest: float
    layer: str


SCATTERED = 0.005
"""Share of elements that rounding may bring across a step, without the layer counting as other."""


def hear(witness: Witness, golden: Golden, samples: NDArray[np.float32]) -> Testimony | None:
    """Run the network and the golden graph on samples.

    Args:
        golden: of the model as it was imported, with one input and one output.
        samples: [n, ...], as that input takes them.

    Returns:
        What the comparison found, or None where there is nothing to compare.
    """
    if len(golden.inputs) != 1 or len(golden.outputs) != 1:
        return None
    few = samples[:SAMPLES]
    layers = witness(few)
    tensors = golden.run({golden.inputs[0]: few})
    if not layers or layers[-1][0]:
        return None
    mine, theirs = tensors[golden.outputs[0]], layers[-1][1]
    if mine.size != theirs.size:
        return None
    size, apart = _apart(mine, theirs)
    differ = int((apart > TOLERANCE).sum())
    layer = _first_other(layers[:-1], tensors) if differ else ""
    return Testimony(len(few), size, differ, float(apart.max(initial=0.0)), layer)


def _apart(mine: NDArray[Any], theirs: NDArray[Any]) -> tuple[int, NDArray[np.float64]]:
    """Elements, and how far they are apart, as a share of the largest."""
    a, b = (x.ravel().astype(np.float64) for x in (mine, theirs))
    return a.size, np.abs(a - b) / max(float(np.abs(b).max(initial=0.0)), 1e-30)


def _first_other(layers: list[tuple[str, NDArray[Any]]], tensors: dict[str, NDArray[Any]]) -> str:
    by_size: dict[int, list[NDArray[Any]]] = {}
    for tensor in tensors.values():
        by_size.setdefault(tensor.size, []).append(tensor)
    known = False
    for name, theirs in layers:
        candidates = by_size.get(theirs.size, [])
        shares = [float((_apart(mine, theirs)[1] > TOLERANCE).mean()) for mine in candidates]
        if shares and min(shares) <= SCATTERED:
            known = True
        elif shares and known:
            return name
    return ""
