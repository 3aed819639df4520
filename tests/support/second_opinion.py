# SPDX-License-Identifier: Apache-2.0
"""What qnnc makes of a model, held against the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.board import find_board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import declaring_passes, folding_passes, lowering_passes
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.ir.facts import integer, name_sources
from qnnc.compiler.passes.manager import PassManager
from qnnc.compiler.reference import BatchRunner
from qnnc.frontends import qdq, qonnx
from tests.generator import Case
from tests.oracle import Oracle, Run
from tests.oracle.executors import by_onnx_runtime, by_qonnx

Tensors = dict[str, NDArray[Any]]


def compile_case(case: Case, *, fold: bool = True, fps: float = 0) -> ir.Model:
    """A model through all passes, without qnnc's own verification.

    Raises:
        QnncError: qnnc refuses it.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(case.proto)
    model = (qonnx if case.flavour == "qonnx" else qdq).from_proto(copy)
    options = BuildOptions(model="", out=Path("unused"), fps=fps or None, **case.options)
    name_sources(model)
    manager = PassManager()
    manager.run(model, declaring_passes(options))
    manager.run(model, lowering_passes(options))
    if fold:
        manager.run(model, folding_passes(options, find_board(options.board)))
    return model


@dataclass
class Observed:
    """What a compiled graph computes, in terms of the user's file.

    Attributes:
        tensors: of the compiled graph, by its own names.
        inner: values of the user's tensors that its integers stand for.
        centred: names of those that are stored integers without their zero point.
        lacking: elements that those lack, since nothing depends on them.
        outputs: in the model's order.
    """

    tensors: Tensors
    inner: Tensors = field(default_factory=dict)
    lacking: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    centred: frozenset[str] = frozenset()
    outputs: list[NDArray[Any]] = field(default_factory=list)


def observe(
    model: ir.Model, feeds: Mapping[str, NDArray[Any]], known: Run, also: Sequence[ir.Value] = ()
) -> Observed:
    """Run a compiled graph.

    Args:
        known: a run of the oracle, which knows the shapes of the user's tensors.
        also: further tensors to keep.
    """
    values = {v: f for n in model.graph for v in n.outputs if (f := integer(v)) is not None}
    wanted = dict.fromkeys([*values, *also, *model.graph.outputs])
    runner = BatchRunner(model, [v for v in wanted if not v.is_graph_input()])
    floats = {name: np.asarray(array, np.float32) for name, array in feeds.items()}
    found = {**runner.run(floats), **floats}
    observed, centred = Observed(found), set()
    for value, fact in values.items():
        golden = fact.golden
        if golden is None or golden not in known.spans or known.spans[golden].constant:
            continue
        integers = np.asarray(found[str(value.name)], np.float64)
        shape = known.spans[golden].shape
        stand_for = integers * fact.scale + fact.offset
        observed.inner[golden] = fact.restored(stand_for, np.zeros(shape))
        if fact.order is not None:
            here = fact.restored(np.ones_like(stand_for), np.zeros(shape))
            observed.lacking[golden] = here == 0
        if golden in known.zeros:
            centred.add(golden)
    observed.centred = frozenset(centred)
    observed.outputs = [found[str(v.name)] for v in model.graph.outputs]
    return observed


@dataclass
class Opinion:
    """What the oracle says of a compiled graph.

    Attributes:
        faults: what is wrong, as text; the first in the graph's order first.
        near: codes that differ from the nearest one and may.
        open: codes that may be one of several.
        compared: tensors that were compared.
        sure: tensors that quantizers give, compared where they may be one thing only.
    """

    faults: list[str]
    near: int
    open: int
    compared: int


def judge(case: Case, oracle: Oracle, observed: Observed) -> Opinion:
    """Hold a compiled graph's tensors and outputs against the oracle's."""
    run = oracle.run(case.feeds, observed.inner, observed.centred, observed.lacking)
    for name, output in zip(oracle.outputs, observed.outputs, strict=True):
        oracle.hold(run, name, output)
    return Opinion([str(f) for f in run.faults], run.near, run.open, len(run.compared))


def judge_executor(case: Case, oracle: Oracle, samples: slice = slice(0, 3)) -> list[str]:
    """Hold the format's own executor on the untouched file against the oracle; what is wrong."""
    feeds = {name: array[samples] for name, array in case.feeds.items()}
    free = oracle.run(feeds)
    made = [name for node in oracle.nodes for name in node.outputs if name]
    names = [n for n in made if n in free.spans and not free.spans[n].constant]
    if case.flavour == "qonnx":
        found = by_qonnx(case.proto, feeds)
    else:
        narrow = (onnx.TensorProto.INT4, onnx.TensorProto.UINT4)
        names = [n for n in names if oracle.kinds.get(n) not in narrow]
        found = by_onnx_runtime(case.proto, feeds, names)
    return [str(f) for f in oracle.run(feeds, {n: found[n] for n in names if n in found}).faults]


def simulate(
    model: ir.Model, observed: Observed, cache: Path, pressure: Pressure, frames: int = 2
) -> str | None:
    """Emulate a compiled graph in C++ and simulate its RTL; what differs from its tensors."""
    from tests.support.emulator import run_emulator
    from tests.support.rtl import run_rtl

    tensors = {name: array[-frames:] for name, array in observed.tensors.items()}
    emulated = run_emulator(model, tensors, cache)
    if emulated.mismatches or not emulated.tensors:
        return f"emulator: {emulated.detail}"
    result = run_rtl(model, tensors, cache, pressure=pressure)
    wrong = [f"{s.name}: {s.mismatches}" for s in result.streams if s.mismatches or not s.elements]
    return ", ".join(wrong) or None


def streams(model: ir.Model) -> list[ir.Value]:
    """All streams of an accelerator."""
    return list(dict.fromkeys(edge.value for edge in stream_graph(model).edges))
