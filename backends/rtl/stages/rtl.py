# SPDX-License-Identifier: Apache-2.0
"""rtl: write the stitched accelerator."""

from __future__ import annotations

from qnnc.backends.design import Design, updatable
from qnnc.backends.rtl.stitch import stitch
from qnnc.compiler.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.report import StreamPort

FOLDER = "rtl"
DESIGN = "rtl.design"


class RtlStage(Stage):
    """SystemVerilog of every node, memory files, and the top that connects them."""

    name = "rtl"
    products = (FOLDER,)

    def run(self, build: Build) -> StageOutcome:
        design = stitch(build.ready_model())
        if build.options.updatable:
            design = updatable(design)
        design.write(build.folder / FOLDER)
        build.shared[DESIGN] = design
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
        return StageOutcome()


def design_of(build: Build) -> Design:
    """The design that the rtl stage has left."""
    design = build.shared[DESIGN]
    assert isinstance(design, Design)
    return design
