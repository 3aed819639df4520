# SPDX-License-Identifier: Apache-2.0
"""Testing a dataflow node at every facet, for those who write one.

A node's `cases.py` has a function `cases()`, which gives the `Case`s that its tests run over:
types, shapes and foldings. `check_node` holds for them the node's SystemVerilog and C++ against its
reference expansion, with and without back-pressure, and against a definition in numpy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.backends.finn.facet import to_finn
from qnnc.backends.hls.emulator.emulator import Emulator, write_emulator
from qnnc.backends.hls.emulator.network import network_of
from qnnc.backends.hls.stages.emulate import compare
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.compiler import Compilation
from qnnc.backends.simulation.simulate import Pressure, build_program, choose_engine, simulate
from qnnc.compiler.dataflow import declaration
from qnnc.compiler.dataflow.attributes import Attribute
from qnnc.compiler.dataflow.base import NewNode
from qnnc.compiler.dataflow.registry import facet, lacks
from qnnc.compiler.datatypes import BIPOLAR, carrier, smallest_type
from qnnc.compiler.ir.edit import FINN
from qnnc.compiler.ir.facts import ACCELERATOR, IntArray, Integer, set_integer, set_part
from qnnc.compiler.reference import Session, expand

FACETS = ("node", "lower", "rtl", "hls", "finn", "cases")
"""What a node's folder holds, one file each."""
PRESSURES = (
    Pressure(source=60, sink=40, seed=3),
    Pressure(source=30, sink=100, seed=5),
    Pressure(source=100, sink=25, seed=9),
)
"""Streams that pause at both ends, at the start alone, at the end alone: per cent of cycles."""
FRAMES = 6
HELD_UP = 4
"""Frames of those that run under back-pressure: the ends of the types, and two random ones."""

Stream = tuple[BaseDataType, tuple[int, ...]]
"""Type and shape [1, ...] of a stream."""


@dataclass(frozen=True)
class Case:
    """A node to test.

    Attributes:
        new: the node, as its `create` gives it.
        inputs: its streams in.
        outputs: its streams out.
        definition: what it computes, in numpy: from an array [frames, *shape] for each stream in
            to one for each stream out. Shares no code with the node.
        folding: attributes of the folding.
        constants: its further inputs.
        unused: numbers of outputs that nothing uses.
        near: numbers [channels or 1, n] of which half of the inputs are one, or one less.
    """

    new: NewNode
    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]
    definition: Callable[..., Sequence[IntArray]]
    folding: Mapping[str, Attribute] = field(default_factory=dict)
    constants: tuple[NDArray[Any], ...] = ()
    unused: tuple[int, ...] = ()
    near: IntArray | None = None

    @property
    def op_type(self) -> str:
        """Operator."""
        return self.new.op_type

    @property
    def attributes(self) -> dict[str, Attribute]:
        """All attributes, those of the folding included."""
        return {**self.new.attributes, **self.folding}

    def folded(self, **attributes: Attribute) -> Case:
        """The same with other attributes of the folding."""
        return replace(self, folding={**self.folding, **attributes})


def cases_of(op_type: str) -> list[Case]:
    """The cases of a node; none if it has no facet `cases`."""
    return [] if lacks(op_type, "cases") else list(facet(op_type, "cases").cases())


def check_node(op_type: str, cache: Path) -> None:
    """Check a node at every facet that it has; see `check_cases`.

    Raises:
        AssertionError: a facet is neither there nor named in `LACKS`, or the node's cases fail.
    """
    for name in FACETS:
        reason = lacks(op_type, name)
        assert not reason.startswith("there is no"), f"{op_type}: {reason}"
    found = cases_of(op_type)
    assert found, f"{op_type} has no cases"
    check_cases(found, cache)


def check_cases(cases: Sequence[Case], cache: Path, engine: str = "auto") -> None:
    """Numpy, reference expansion, C++ and SystemVerilog of all cases agree in every element, with
    and without back-pressure; without, a frame takes the cycles that the node declares, within
    1 %; and FINN takes the nodes that it says it takes.

    Args:
        cache: where compiled simulators are kept.
        engine: simulator, "verilator" or "cxxrtl"; by default the fastest that is installed.

    Raises:
        AssertionError: they do not.
    """
    model = model_of(cases)
    tensors = _tensors(cases, model)
    for node in map(declaration, model.graph):
        assert not lacks(node.op_type, "rtl") or not lacks(node.op_type, "hls")
        if not lacks(node.op_type, "finn"):
            assert isinstance(to_finn(node).refusal(), str)
    _emulated(model, tensors, cache)
    chosen = choose_engine(engine)
    design = stitch(model)
    with tempfile.TemporaryDirectory() as name:
        rtl, work = Path(name) / "rtl", Path(name) / "work"
        work.mkdir()
        design.write(rtl)
        program = build_program(design, rtl, chosen, Compilation(work, cache, 2, short=True))
        for pressure in (Pressure(), *PRESSURES):
            frames = FRAMES if pressure == Pressure() else HELD_UP
            given = {name: array[:frames] for name, array in tensors.items()}
            result = simulate(design, program, rtl, chosen, given, pressure)
            wrong = [(s.name, s.tensor, s.mismatches) for s in result.streams if s.mismatches]
            assert not wrong, wrong
            assert all(stream.elements for stream in result.streams)
            if pressure == Pressure():
                _on_time(model, result.done)


def _on_time(model: ir.Model, done: Mapping[str, NDArray[np.int64]]) -> None:
    """Every frame but the first three took as long as its node declares.

    Args:
        done: for each stream out, the cycles at which its frames ended.
    """
    late = []
    for node in map(declaration, model.graph):
        expected = node.cycles(node.folding())
        for output in node.node.outputs:
            if output.is_graph_output():
                ends = done[str(output.name)]
                found = (ends[-1] - ends[2]) / (len(ends) - 3)
                if abs(found - expected) > 0.01 * expected:
                    late.append((node.name, node.folding(), expected, found))
    assert not late, late


def _emulated(model: ir.Model, tensors: Mapping[str, NDArray[Any]], cache: Path) -> None:
    network = network_of(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "emulator"
        write_emulator(network, folder)
        emulator = Emulator(folder)
        program, _ = emulator.compile(cache)
        inputs = {t.name: tensors[t.name] for t in emulator.inputs}
        found = compare(emulator.run(program, inputs, threads=1, taps=True), tensors)
    assert found.mismatches == 0, found.detail
    assert found.tensors == len(model.graph.outputs)


def _tensors(cases: Sequence[Case], model: ir.Model) -> dict[str, NDArray[Any]]:
    """All tensors of random frames, from the reference expansion, checked by the definitions."""
    inputs = random_inputs(cases)
    return agreed(cases, model, inputs)


def agreed(
    cases: Sequence[Case], model: ir.Model, inputs: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """All tensors of frames, from the reference expansion of `model_of(cases)`; the cases'
    definitions give the same.

    Args:
        inputs: [frames, *shape] for each, as of `random_inputs`.

    Raises:
        AssertionError: they do not.
    """
    frames = len(next(iter(inputs.values())))
    session = Session(expand(model))
    results = [session.run({n: a[i] for n, a in inputs.items()}) for i in range(frames)]
    outputs = {name: np.stack([r[name] for r in results]) for name in results[0]}
    for i, case in enumerate(cases):
        given = [inputs[f"x{i}_{j}"].astype(np.int64) for j in range(len(case.inputs))]
        expected = case.definition(*given)
        for j, (kind, shape) in enumerate(case.outputs):
            if j in case.unused:
                continue
            found = outputs[f"y{i}_{j}"]
            assert found.shape == (frames, *shape), case
            assert np.array_equal(found, expected[j]), case
            assert kind.min() <= found.min() and found.max() <= kind.max(), case
    return {**outputs, **inputs}


def random_inputs(
    cases: Sequence[Case], seed: int = 7, frames: int = FRAMES
) -> dict[str, NDArray[Any]]:
    """Frames [frames, ...] for every input of `model_of(cases)`: one at the low end of the type,
    one at the high end, the rest random."""
    rng = np.random.default_rng(seed)
    found = {}
    for i, case in enumerate(cases):
        for j, (kind, shape) in enumerate(case.inputs):
            x = random_of(rng, kind, (frames, *shape))
            if case.near is not None:
                x = np.where(rng.random(x.shape) < 0.5, _beside(rng, case.near, x.shape, kind), x)
            for frame, end in enumerate((kind.min(), kind.max())[:frames]):
                x[frame] = int(end)
            found[f"x{i}_{j}"] = x.astype(carrier(kind))
    return found


def _beside(
    rng: np.random.Generator, near: IntArray, shape: tuple[int, ...], kind: BaseDataType
) -> IntArray:
    rows = np.broadcast_to(near, (shape[-1], near.shape[1]))
    chosen = rows[np.arange(shape[-1]), rng.integers(near.shape[1], size=shape)]
    steps = rng.integers(2, size=shape)
    clipped: IntArray = np.clip(chosen - steps, int(kind.min()), int(kind.max()))
    return clipped


def random_of(rng: np.random.Generator, kind: BaseDataType, shape: tuple[int, ...]) -> IntArray:
    """Random integers of a shape, over the whole range of a type."""
    if kind == BIPOLAR:
        signs: IntArray = rng.choice([-1, 1], size=shape).astype(np.int64)
        return signs
    return rng.integers(int(kind.min()), int(kind.max()), size=shape, endpoint=True)


def model_of(cases: Sequence[Case]) -> ir.Model:
    """A model with every node between inputs and outputs of its own."""
    inputs, outputs, nodes, constants = [], [], [], []
    for i, case in enumerate(cases):
        streams = [_stream(f"x{i}_{j}", stream) for j, stream in enumerate(case.inputs)]
        results = [_stream(f"y{i}_{j}", stream) for j, stream in enumerate(case.outputs)]
        extra = [_constant(f"c{i}_{j}", array) for j, array in enumerate(case.constants)]
        node = ir.node(
            case.new.op_type,
            [*streams, *extra],
            case.attributes,
            domain=FINN,
            outputs=results,
            name=f"{case.new.op_type}_{i}",
        )
        set_part(node, ACCELERATOR)
        inputs += streams
        outputs += [value for j, value in enumerate(results) if j not in case.unused]
        nodes.append(node)
        constants += extra
    graph = ir.Graph(
        inputs, outputs, nodes=nodes, initializers=constants, opset_imports={"": 21, FINN: 1}
    )
    return ir.Model(graph, ir_version=10)


def _constant(name: str, array: NDArray[Any]) -> ir.Value:
    kind = smallest_type(int(array.min()), int(array.max()))
    tensor = ir.tensor(array.astype(carrier(kind)), name=name)
    shape = ir.Shape(array.shape)
    return ir.Value(name=name, const_value=tensor, shape=shape, type=ir.TensorType(tensor.dtype))


def _stream(name: str, stream: Stream) -> ir.Value:
    kind, shape = stream
    wide = carrier(kind) == np.float64
    dtype = ir.DataType.DOUBLE if wide else ir.DataType.FLOAT
    value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
    set_integer(value, Integer.of(int(kind.min()), int(kind.max()), datatype=kind))
    return value
