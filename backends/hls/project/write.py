# SPDX-License-Identifier: Apache-2.0
"""The whole folder: nodes, library, the accelerator around them, Tcl to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qnnc.backends.design import Design
from qnnc.backends.hls.emulator.source import templates
from qnnc.backends.hls.kernel import headers
from qnnc.backends.hls.project.node_files import NodeProject
from qnnc.backends.hls.project.wrapper import wrapper
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.files import new_folder

RUN, STITCH = "run.tcl", "stitch.tcl"
FRAMES = 2
"""Golden frames of a testbench."""


def node_projects(
    graph: StreamGraph,
    names: Sequence[str],
    tensors: Mapping[str, NDArray[Any]],
    chosen: Sequence[int],
) -> dict[int, NodeProject]:
    """Projects of some nodes, by their number in the graph.

    Args:
        names: an identifier for each node of the graph.
        tensors: integers [frames, …] of every stream that is used, by tensor name.
        chosen: numbers of the nodes.
    """
    inputs: dict[int, dict[int, str]] = {}
    for edge in graph.edges:
        if edge.target is not None:
            inputs.setdefault(edge.target.node, {})[edge.target.port] = str(edge.value.name)
    projects = {}
    for index in chosen:
        node = graph.nodes[index]
        into = [name for _, name in sorted(inputs[index].items())]
        golden = [tensors.get(str(value.name)) for value in node.node.outputs]
        out = [None if array is None else array[:FRAMES] for array in golden]
        given = [tensors[name][:FRAMES] for name in into]
        projects[index] = NodeProject.of(names[index], node, given, out)
    return projects


def write_project(
    folder: Path,
    projects: Mapping[int, NodeProject],
    design: Design | None,
    part: str,
    clock_mhz: float,
) -> None:
    """Write everything into a new folder.

    Args:
        projects: the HLS nodes, by their number in the design.
        design: the accelerator in SystemVerilog, every node in it; None if there is none, and
            then no stitching either.
        part: as Vivado spells it.
    """
    with new_folder(folder) as out:
        (out / "library").mkdir()
        for name, text in headers(p.kernel for p in projects.values()).items():
            (out / "library" / name).write_text(text, encoding="utf-8")
        for project in projects.values():
            place = out / "nodes" / project.name
            place.mkdir(parents=True)
            for name, text in project.files().items():
                (place / name).write_text(text, encoding="utf-8")
        nodes = list(projects.values())
        values = {"nodes": nodes, "part": part, "period": f"{1000 / clock_mhz:.3f}"}
        (out / RUN).write_text(_tcl("run.tcl.j2", values), encoding="utf-8")
        if design is not None:
            for index, project in projects.items():
                design = design.with_rtl(index, wrapper(project))
            design.write(out / "rtl")
            values["top"] = design.top
            (out / STITCH).write_text(_tcl("stitch.tcl.j2", values), encoding="utf-8")


def _tcl(template: str, values: Mapping[str, object]) -> str:
    return templates().get_template(template).render(**values)
