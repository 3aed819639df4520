# SPDX-License-Identifier: Apache-2.0
"""The inputs that a build is verified with: a user's, or random ones over the whole range."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import OptionError, WorkspaceError
from qnnc.compiler.ir.edit import shape_of
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.samples import read_array, shaped
from qnnc.compiler.verification import Golden

Inputs = dict[str, NDArray[np.float32]]
TRIED = 4
"""Samples that a range is tried with."""
LOOKED_AT = 1 << 22
"""Elements of their tensors that are looked at; of a larger network its first tensors."""

MOST_NUMBERS = 1 << 32
"""Of all random samples together."""


def load_inputs(model: ir.Model, path: Path) -> Inputs:
    """A user's samples for a model with one input.

    Raises:
        OptionError: the model has several inputs.
        WorkspaceError: the file does not fit the model's input or its declared type.
    """
    if len(model.graph.inputs) != 1:
        raise OptionError("--samples needs a model with one input")
    value = model.graph.inputs[0]
    array = shaped(read_array(path), shape_of(value), path)
    fact = integer(value)
    if fact is not None:
        low, high = int(fact.low), int(fact.high)
        if array.min() < low or array.max() > high or np.any(array != np.rint(array)):
            raise WorkspaceError(
                f"{path} holds values from {array.min():g} to {array.max():g}; the declared "
                f"input type is {fact.type.name}, integers from {low} to {high}"
            )
    return {str(value.name): array}


def random_inputs(model: ir.Model, golden: Golden, count: int, seed: int = 0) -> Inputs:
    """Random samples over the whole range of each input.

    An input that is declared integer is drawn from its type. For any other the range is the one,
    among powers of two, in which the golden graph's first quantizer gives the most different
    values, so that it is neither saturated nor idle.

    Raises:
        OptionError: they are more than fit in memory.
    """
    rng = np.random.default_rng(seed)
    inputs: Inputs = {}
    numbers = sum(math.prod(shape_of(value)) for value in model.graph.inputs)
    if count * numbers > MOST_NUMBERS:
        raise OptionError(
            f"{count:,} random samples of {numbers:,} numbers each are too many; --frames "
            f"{max(1, MOST_NUMBERS // numbers)} is the most"
        )
    for value in model.graph.inputs:
        shape = (count, *shape_of(value)[1:])
        fact = integer(value)
        if fact is not None:
            whole = rng.integers(int(fact.low), int(fact.high), shape, endpoint=True)
            inputs[str(value.name)] = whole.astype(np.float32)
        else:
            inputs[str(value.name)] = rng.uniform(-1, 1, shape).astype(np.float32)
    loose = [str(v.name) for v in model.graph.inputs if integer(v) is None]
    if loose:
        reach = _best_reach(golden, inputs, loose)
        for name in loose:
            inputs[name] = inputs[name] * np.float32(reach)
    return inputs


def _best_reach(golden: Golden, inputs: Inputs, loose: list[str]) -> float:
    best, reach = -1, 1.0
    few = {name: array[:TRIED] for name, array in inputs.items()}
    first = golden.first(LOOKED_AT // TRIED)
    for exponent in range(-4, 9):
        scaled = {
            name: array * np.float32(2.0**exponent) if name in loose else array
            for name, array in few.items()
        }
        found = golden.run(scaled) if first is None else first.run(scaled)
        watched = (array for name, array in found.items() if name not in inputs)
        different = sum(np.unique(array).size for array in watched)
        if different > best:
            best, reach = different, 2.0**exponent
    return reach
