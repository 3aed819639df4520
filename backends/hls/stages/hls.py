# SPDX-License-Identifier: Apache-2.0
"""hls: write the project for Vitis HLS, and run it where Vitis is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from qnnc.backends.design import Design
from qnnc.backends.hls.project.vitis import run_tcl, vitis_command
from qnnc.backends.hls.project.write import RUN, STITCH, node_projects, write_project
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.identifiers import Namer

FOLDER = "hls"
"""Where the RTL backend leaves the accelerator for others."""


class HlsStage(Stage):
    """C++ top functions, testbenches and Tcl for the nodes that are to be HLS."""

    name = "hls"
    after = "synthesize"
    products = (FOLDER,)

    def run(self, build: Build) -> StageOutcome:
        graph = stream_graph(build.ready_model())
        chosen = [i for i, node in enumerate(graph.nodes) if node.made_by == "hls"]
        if not chosen:
            return StageOutcome("skipped", "no node is HLS")
        design = build.kept(Design)
        if design is not None:
            names = [instance.name for instance in design.instances]
        else:
            namer = Namer()
            names = [namer.unique(node.op_type.lower()) for node in graph.nodes]
        projects = node_projects(graph, names, build.tensors, chosen)
        folder = build.folder / FOLDER
        write_project(folder, projects, design, build.board.part, build.clock_mhz)
        build.artifacts.hls = FOLDER
        return StageOutcome(reason=self._run_tools(build, folder, design is not None))

    @staticmethod
    def _run_tools(build: Build, folder: Path, stitched: bool) -> str:
        command = vitis_command()
        if command is None:
            return f"no Vitis HLS on PATH; run {FOLDER}/{RUN} with it"
        build.progress.detail("running Vitis HLS")
        run_tcl(command, folder / RUN)
        vivado = shutil.which("vivado")
        if vivado is None or not stitched:
            return f"nodes made; run {FOLDER}/{STITCH} in Vivado to stitch them"
        build.progress.detail("stitching in Vivado")
        run_tcl([vivado, "-mode", "batch", "-source"], folder / STITCH)
        return "nodes made and stitched"
