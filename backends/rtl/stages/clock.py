# SPDX-License-Identifier: Apache-2.0
"""What clock a synthesised accelerator holds, and what follows for the clock that was asked for."""

from __future__ import annotations

from qnnc.backends.design import Design
from qnnc.backends.synthesis import SynthesisResult
from qnnc.backends.timing import Node, Wires, accelerator_paths
from qnnc.backends.timing.cached import cached_timing
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.options import AUTO
from qnnc.compiler.building.performance import set_clock
from qnnc.compiler.clock import highest_clock
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import TargetError, quote
from qnnc.compiler.report import Layer, PathReport, TimingReport


def find_clock(build: Build, design: Design, result: SynthesisResult) -> None:
    """Find the longest path of every layer; with `--clock-mhz auto`, choose the clock.

    Raises:
        TargetError: the board has no clock that is slow enough.
        ToolError: a cell is not in the timing model.
    """
    nodes = [
        Node(
            instance.name,
            cached_timing(made.netlist, instance.rtl.module, build.options.cache),
            instance.streams,
        )
        for instance, made in zip(design.instances, result.nodes, strict=True)
    ]
    wires = Wires()
    slowest: Layer | None = None
    for layer, path in zip(build.layers, accelerator_paths(nodes, wires), strict=True):
        if path is None:
            continue
        layer.timing = PathReport(
            ns=round(path.ns, 3), levels=path.levels, start=path.start, end=path.end
        )
        if slowest is None or slowest.timing is None or path.ns > slowest.timing.ns:
            slowest = layer
    if slowest is None or slowest.timing is None:
        return
    limit = 1000 / slowest.timing.ns
    build.timing = TimingReport(fmax_mhz=round(limit, 1), layer=slowest.name, delays=wires.words())
    if build.options.clock_mhz == AUTO:
        _choose(build, slowest, limit)
    elif build.clock_mhz > limit:
        slower = highest_clock(build.board.pll_mhz, limit)
        remedy = "" if slower is None else f"; --clock-mhz {slower:.6g} would hold"
        build.warn(
            f"{build.clock_mhz:.6g} MHz is more than the {limit:.6g} MHz that the timing model "
            f"gives {_named(slowest)}{remedy}"
        )


def _choose(build: Build, slowest: Layer, limit: float) -> None:
    clock = highest_clock(build.board.pll_mhz, limit)
    if clock is None:
        raise TargetError(f"the board has no clock as slow as {_named(slowest)}: {limit:.6g} MHz")
    build.chosen_mhz = clock
    assert build.performance is not None
    set_clock(build.performance, stream_graph(build.ready_model()), build.board, clock)
    if build.options.fps is not None and build.performance.fps < build.options.fps:
        build.warn(
            f"at {clock:.6g} MHz, the highest clock that holds by the timing model, there are "
            f"{build.performance.fps:,.0f} frames/s, not the {build.options.fps:,.0f} asked for; "
            f"with --clock-mhz {clock:.6g} the layers are folded for that clock"
        )


def _named(layer: Layer) -> str:
    """The user's layer, and the node's own name."""
    own = layer.instance or layer.name
    if not layer.source_nodes:
        return own
    return f"{own} (of {quote(layer.source_nodes[-1])})"
