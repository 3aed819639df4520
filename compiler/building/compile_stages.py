# SPDX-License-Identifier: Apache-2.0
"""The compiler's own stages: passes with verification, and the estimate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import onnx_ir as ir

from qnnc.compiler.building.accuracy import measure_accuracy
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.distributions import clipped_of, output_histogram, weight_histogram
from qnnc.compiler.building.final_check import compare_with_module, coverage_report, verify_whole
from qnnc.compiler.building.folding_file import FOLDING, folding_text
from qnnc.compiler.building.host import host_graphs
from qnnc.compiler.building.pipeline import compiling_passes, declaring_passes, resumed
from qnnc.compiler.building.plausible import size_warning
from qnnc.compiler.building.samples import load_inputs, random_inputs
from qnnc.compiler.building.size import check_size
from qnnc.compiler.building.watchers import IrSaver
from qnnc.compiler.building.workspace import MODEL, STOPPED
from qnnc.compiler.dataflow import DataflowNode, Role
from qnnc.compiler.dataflow.folding import (
    ArithmeticFolding,
    Folding,
    MemoryFolding,
    PEFolding,
    SIMDFolding,
)
from qnnc.compiler.dataflow.plumbing import Fifo
from qnnc.compiler.dataflow.shell_cost import shell_of
from qnnc.compiler.dataflow.stream_graph import Edge, StreamGraph, stream_graph
from qnnc.compiler.errors import OptionError
from qnnc.compiler.files import new_folder, write_bytes, write_text
from qnnc.compiler.frontend import Quantization, load_model, quantization_of, witness_of
from qnnc.compiler.ir.facts import HOST_POST, HOST_PRE, evaluated, name_sources, part, sources
from qnnc.compiler.ir.saved import save_ir
from qnnc.compiler.ir.written import write_model
from qnnc.compiler.passes.fit_budget import total_of
from qnnc.compiler.passes.manager import PassManager, Watcher
from qnnc.compiler.passes.set_folding import by_hand
from qnnc.compiler.reference import Session, expand
from qnnc.compiler.report import (
    Connection,
    HostSide,
    Layer,
    ResourceCount,
    ResourceReport,
    Work,
)
from qnnc.compiler.samples import load_labels
from qnnc.compiler.verification import Golden, Verifier

if TYPE_CHECKING:
    from qnnc.compiler.building.build import Build

PASS_SAMPLES = (2, 8)
"""Least and most samples compared after each pass."""
PASS_EFFORT = 1 << 25
"""Elements of all golden tensors of all samples compared after a pass: large networks get fewer."""
RANDOM_SAMPLES = (8, 64)
"""Least and most random samples, where a user gives none."""
RANDOM_EFFORT = 1 << 27
"""Elements of all golden tensors of all random samples."""
DATAFLOW_SAMPLES = 1024
"""Samples of a user's compared at the end; `qnnc verify` compares all."""


class PassesStage(Stage):
    """From the user's model to a folded dataflow graph, verified."""

    name = "passes"
    products = (MODEL, FOLDING)

    def run(self, build: Build) -> StageOutcome:
        options = build.options
        # refuse a wrong pipeline at once
        passes = compiling_passes(options, build.board, build.kept_free)
        by_hand(str(options.folding or ""), options.settings)  # and what is not a folding
        build.progress.detail("reading the model")
        model = load_model(options.model, options.frontend, options.load_settings())
        quantization = quantization_of(model)
        if quantization is not None:
            build.quantization = quantization.report
        name_sources(model)
        manager = PassManager(listener=build.progress.detail, runs=build.passes)
        manager.watchers = self._watchers(build, model)
        witness = witness_of(model) if options.verify != "none" else None
        imported = None if witness is None else Golden(model)
        manager.run(model, declaring_passes(options))
        if not options.stop_after:
            limit = build.board.resources.scaled(options.share)
            memory = build.board.memory(build.clock_mhz)
            check_size(
                model,
                limit,
                build.board.name,
                external=options.external_weights or options.batch > 1,
                bytes_per_second=memory.total * build.clock_mhz * 1e6,
            )
        build.progress.detail("preparing the golden graph")
        build.model, build.golden = model, Golden(model)
        self._choose_inputs(build, model, build.golden)
        if witness is not None and imported is not None:
            compare_with_module(build, witness, imported)
        if options.verify != "none":
            count = _affordable(build.golden, PASS_EFFORT, PASS_SAMPLES)
            few = {name: array[:count] for name, array in build.inputs.items()}
            manager.verifier = Verifier(build.golden, few)
            manager.each = options.verify == "each"
        golden = expand(model, any_batch=True)
        if options.start_from is not None:
            model, passes = resumed(options.start_from, manager, passes)
            build.model = model
        manager.run(model, passes)
        if options.stop_after:
            self._stop(build, model, golden, manager.done)
            build.accuracy = measure_accuracy(build)
            return StageOutcome(reason=f"stopped after pass {options.stop_after}")
        if not stream_graph(model).nodes:
            raise OptionError(
                "these --passes leave nothing in hardware: to-dataflow is missing, or what it "
                "needs; '...' stands for the usual passes between its neighbours"
            )
        verify_whole(build, model, build.golden)
        self._write(build, model, golden, quantization)
        build.accuracy = measure_accuracy(build)
        build.host = HostSide(
            pre_nodes=_sources_in(model, HOST_PRE), post_nodes=_sources_in(model, HOST_POST)
        )
        return StageOutcome()

    @staticmethod
    def _watchers(build: Build, model: ir.Model) -> list[Watcher]:
        build.trail.start(model)
        build.model = model
        watchers: list[Watcher] = [build.trail, *build.watchers]
        if build.options.save_ir is not None:
            saver = IrSaver(build.options.save_ir, force=build.options.force)
            saver.start(model)
            watchers.append(saver)
        return watchers

    @staticmethod
    def _stop(build: Build, model: ir.Model, golden: ir.Model, done: list[str]) -> None:
        """Leave a half-compiled network: as IR, and as ONNX that runs."""
        with new_folder(build.folder / MODEL) as out:
            write_model(golden, out / "golden.onnx")
            write_model(expand(model, any_batch=True), out / "compiled.onnx")
            save_ir(model, out / STOPPED, done)
        build.artifacts.golden = "model/golden.onnx"
        build.artifacts.compiled = "model/compiled.onnx"

    @staticmethod
    def _choose_inputs(build: Build, model: ir.Model, golden: Golden) -> None:
        options, samples = build.options, build.options.real_samples
        if samples is not None:
            everything = load_inputs(model, samples)
            if options.labels is not None:  # counted at the end, but refused now
                load_labels(options.labels, len(next(iter(everything.values()))))
            most = max(DATAFLOW_SAMPLES, options.frames or 0)
            build.inputs = {n: array[:most] for n, array in everything.items()}
            build.random = False
        else:
            count = _affordable(golden, RANDOM_EFFORT, RANDOM_SAMPLES)
            build.inputs = random_inputs(model, golden, max(count, options.frames or 0))
        if samples is not None or options.input_type:
            warning = size_warning(model, golden, build.inputs)
            if warning:
                build.warn(warning)

    @staticmethod
    def _write(
        build: Build, model: ir.Model, golden: ir.Model, quantization: Quantization | None
    ) -> None:
        pre, post = host_graphs(model, {**build.tensors, **build.inputs})
        with new_folder(build.folder / MODEL) as out:
            write_model(golden, out / "golden.onnx")
            write_model(expand(model, any_batch=True), out / "compiled.onnx")
            save_ir(model, out / "dataflow.onnx")
            for half, name in ((pre, "pre.onnx"), (post, "post.onnx")):
                write_model(half, out / name)
                Session(half, threads=1)  # the others have run
            if quantization is not None:
                write_bytes(out / "quantized.onnx", quantization.model)
                build.artifacts.quantized = "model/quantized.onnx"
        write_text(build.folder / FOLDING, folding_text(stream_graph(model)))
        files = build.artifacts
        files.folding = FOLDING
        files.golden, files.compiled = "model/golden.onnx", "model/compiled.onnx"
        files.dataflow = "model/dataflow.onnx"
        files.host_pre, files.host_post = "model/pre.onnx", "model/post.onnx"


def _affordable(golden: Golden, effort: int, ends: tuple[int, int]) -> int:
    """Samples whose golden tensors have so many elements together, within the ends."""
    return min(ends[1], max(ends[0], effort // max(1, golden.elements)))


def _sources_in(model: ir.Model, where: str) -> list[str]:
    names: dict[str, None] = {}
    for node in model.graph:
        if part(node) == where:
            names.update(dict.fromkeys(sources(node)))
    return list(names)


class EstimateStage(Stage):
    """Cycles and resources from the nodes' own models."""

    name = "estimate"
    after = "passes"

    def run(self, build: Build) -> StageOutcome:
        # these bring networkx, which is slow to load
        from qnnc.compiler.buffering.timing import works
        from qnnc.compiler.building.performance import estimated_performance

        graph = stream_graph(build.ready_model())
        clipped = clipped_of(build, graph)
        build.layers = [_layer(node, build, clipped) for node in graph.nodes]
        schedules = works(graph)
        for layer, work in zip(build.layers, schedules, strict=False):
            layer.work = Work(starts=list(work.starts), ends=list(work.ends))
        build.connections = [_connection(graph, edge) for edge in graph.edges]
        total = total_of(graph)
        device, shell = build.board.resources, shell_of(graph)
        build.resources = ResourceReport(
            estimate=ResourceCount.of(total),
            synthesis=None,
            shell=ResourceCount.of(shell),
            budget=ResourceCount.of(build.options.allowed(device, shell)),
            device=ResourceCount.of(device),
        )
        build.performance = estimated_performance(graph, build.board, build.clock_mhz, schedules)
        return StageOutcome()


def _connection(graph: StreamGraph, edge: Edge) -> Connection:
    end = edge.source or edge.target
    assert end is not None
    node = graph.nodes[end.node]
    ports = node.ports(node.folding())
    stream = (ports.outputs if edge.source else ports.inputs)[end.port]
    return Connection(
        source=edge.source.node if edge.source else None,
        target=edge.target.node if edge.target else None,
        tensor=str(edge.value.name),
        shape=list(stream.shape),
        datatype=stream.datatype.name,
        bits=stream.bits,
    )


def _table(node: DataflowNode) -> str:
    return evaluated(node.node) if hasattr(node, "thresholds") else ""


def _operations(node: DataflowNode) -> int:
    ports = node.ports(node.folding())
    output = ports.outputs[0]
    if node.role is Role.DYNAMIC_PRODUCT:
        return 2 * output.elements * ports.inputs[0].shape[-1]
    if node.role not in (Role.PRODUCT, Role.CHANNEL_PRODUCT):
        return 0
    return 2 * output.elements * (node.constant_input(1).size // output.shape[-1])


def _layer(node: DataflowNode, build: Build, clipped: Mapping[str, float]) -> Layer:
    seen = None if build.coverage is None else build.coverage.of(node.name)
    folding: Folding = node.folding()
    ports = node.ports(folding)
    fetched = node.weight_bytes(folding)
    style, reason = node.implementation(folding) or (None, "")
    return Layer(
        name=node.name,
        op=node.op_type,
        instance="",
        source_nodes=list(sources(node.node)),
        PE=folding.PE if isinstance(folding, PEFolding) else None,
        SIMD=folding.SIMD if isinstance(folding, SIMDFolding) else None,
        ram_style=folding.ram_style if isinstance(folding, MemoryFolding) else None,
        weights=node.weights_in(folding),
        memory_bytes=fetched,
        arithmetic=(
            folding.resType if isinstance(folding, ArithmeticFolding) and style != "table" else None
        ),
        implementation=style,
        implementation_reason=reason,
        input_type=ports.inputs[0].datatype.name,
        output_type=ports.outputs[0].datatype.name,
        shape=list(ports.outputs[0].shape),
        cycles=math.ceil(node.cycles(folding)),
        resources=ResourceCount.of(node.resources(folding)),
        coverage=None if seen is None else coverage_report(seen, _table(node)),
        depth=node.depth if isinstance(node, Fifo) else None,
        operations=_operations(node),
        weight_values=weight_histogram(node),
        output_values=output_histogram(node, build.tensors, clipped),
        notes=node.notes(folding),
    )
