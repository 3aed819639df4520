# SPDX-License-Identifier: Apache-2.0
"""rtl: write the stitched accelerator."""

from __future__ import annotations

from qnnc.backends.design import Design, WeightPort, updatable
from qnnc.backends.rtl.stitch import stitch
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.registry import lacks
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import quote
from qnnc.compiler.report import StreamPort

FOLDER = "rtl"


class RtlStage(Stage):
    """SystemVerilog of every node, memory files, and the top that connects them."""

    name = "rtl"
    after = "estimate"
    products = (FOLDER,)

    def run(self, build: Build) -> StageOutcome:
        missing = _without_rtl(build)
        if missing:
            return StageOutcome("skipped", f"node {quote(missing.name)} is HLS only")
        design = stitch(build.ready_model())
        if build.options.updatable:
            design = updatable(design)
        design.write(build.folder / FOLDER)
        build.keep(design)
        build.artifacts.rtl = FOLDER
        for layer, instance in zip(build.layers, design.instances, strict=True):
            layer.instance = instance.name
        build.streams = [
            StreamPort(
                name=port.name,
                tensor=str(port.value.name),
                shape=list(port.stream.shape),
                datatype=port.stream.datatype.name,
                elements_per_word=port.stream.lanes,
                tdata_bits=port.bytes * 8,
                words_per_frame=port.stream.words,
            )
            for port in (*design.inputs, *design.outputs)
        ]
        build.streams += [_weight_stream(design, port) for port in design.weights]
        return StageOutcome()


def _weight_stream(design: Design, port: WeightPort) -> StreamPort:
    """A stream of weights, the same words over and over."""
    node = design.instances[port.instance].node
    return StreamPort(
        name=port.name,
        tensor=node.name,
        shape=list(port.words.shape),
        datatype="UINT8",
        elements_per_word=port.bytes,
        tdata_bits=port.bits,
        words_per_frame=0,
        words_per_batch=len(port.words) * port.rounds,
        words_per_round=len(port.words),
    )


def _without_rtl(build: Build) -> DataflowNode | None:
    """A node that is to be HLS and has no twin in SystemVerilog."""
    for node in stream_graph(build.ready_model()).nodes:
        if node.made_by == "hls" and lacks(node.op_type, "rtl"):
            return node
    return None


def has_design(build: Build) -> bool:
    """The rtl stage has left a design."""
    return build.kept(Design) is not None


def hls_nodes(build: Build) -> int:
    """How many nodes Vitis HLS is to make; in simulation and synthesis their twins in
    SystemVerilog stand for them."""
    return sum(instance.node.made_by == "hls" for instance in design_of(build).instances)


def not_in_rtl(build: Build) -> str:
    """Why the accelerator cannot be packaged from its RTL alone; empty if it can."""
    if not has_design(build):
        return NO_DESIGN.reason
    return "hls/stitch.tcl packages it with the HLS nodes" if hls_nodes(build) else ""


NO_DESIGN = StageOutcome("skipped", "there is no RTL of the whole accelerator")


def design_of(build: Build) -> Design:
    """The design that the rtl stage has left."""
    design = build.kept(Design)
    assert design is not None, "the rtl stage comes first"
    return design
