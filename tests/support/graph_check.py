# SPDX-License-Identifier: Apache-2.0
"""Whether a model compiles, and computes what ONNX Runtime says."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import onnx

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import QnncError
from tests.support.build import compile_proto, compile_with_verifier
from tests.support.emulator import run_emulator
from tests.support.rtl import run_rtl

NOTHING = "there is nothing to accelerate"
"""A random graph may be such that all of it is the host's."""


def failure(model: onnx.ModelProto, samples: int = 50, *, fold: bool = True) -> str | None:
    """Take a model through all passes and compare every tensor of the dataflow graph with the
    golden one; None if all is well, or else what is wrong, without names and numbers, so that
    equal faults give equal texts."""
    try:
        compile_proto(model, samples=samples, each=False, fold=fold)
    except QnncError as error:
        if NOTHING in str(error):
            return None
        return f"{type(error).__name__}: {_general(str(error))}"
    except Exception as error:  # a fault of any kind is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name} in {place.name}"
        return f"{type(error).__name__} at {where}: {_general(str(error))}"
    return None


def _general(text: str) -> str:
    first = text.partition("\n")[0]
    return re.sub(r"[0-9.e+-]*[0-9]", "#", re.sub(r"'[^']*'", "'*'", first))[:200]


def simulated_failure(
    model: onnx.ModelProto, cache: Path, pressure: Pressure, frames: int = 2, fps: float = 100
) -> str | None:
    """Emulate and simulate the accelerator of a model, folded for `fps`, and compare every stream;
    None if all is well, or else the streams that differ."""
    compiled, verifier = compile_with_verifier(model, samples=frames, fps=fps)
    graph = stream_graph(compiled)
    streams = list(dict.fromkeys(edge.value for edge in (*graph.edges, *graph.feedback)))
    _, tensors = verifier.check_and_keep(compiled, streams, frames)
    emulated = run_emulator(compiled, tensors, cache)
    if emulated.mismatches or not emulated.tensors:
        return f"emulator: {emulated.detail}"
    result = run_rtl(compiled, tensors, cache, pressure=pressure)
    wrong = [f"{s.name}: {s.mismatches}" for s in result.streams if s.mismatches or not s.elements]
    return ", ".join(wrong) or None
