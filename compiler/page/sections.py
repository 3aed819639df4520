# SPDX-License-Identifier: Apache-2.0
"""What the page's tables and bars say, as numbers and words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qnnc.compiler.page.graph import layer_key
from qnnc.compiler.page.text import count, percent, seconds
from qnnc.compiler.report import (
    Artifacts,
    CoverageReport,
    Layer,
    NodeOrigin,
    Report,
    ResourceCount,
    TimingReport,
)
from qnnc.compiler.resources import RESOURCE_NAMES


@dataclass(frozen=True)
class Figure:
    """A number that a reader looks for first."""

    label: str
    value: str
    note: str = ""
    bad: bool = False


@dataclass(frozen=True)
class TimeBar:
    """A layer's cycles; `share` is of the slowest's."""

    key: str
    name: str
    folding: str
    cycles: int
    share: float
    slowest: bool


@dataclass(frozen=True)
class ResourceBar:
    """A count of a primitive; shares are of what the device has."""

    label: str
    used: int
    share: float
    over: bool


@dataclass(frozen=True)
class ResourceScale:
    """A primitive: what there is, what may be used, what is used."""

    name: str
    device: int
    budget: int
    allowed: float
    bars: list[ResourceBar]


@dataclass(frozen=True)
class Span:
    """Percentages of a timeline, and the time in words."""

    start: float
    width: float
    words: str


def figures(report: Report) -> list[Figure]:
    """The numbers at the top."""
    found: list[Figure] = []
    labelled = report.accuracy
    if labelled is not None:
        note = f"{count(labelled.correct)} of {count(labelled.samples)} samples"
        if labelled.same + labelled.near == labelled.samples:
            note += ", each as the quantized network"
        share = labelled.correct / labelled.samples if labelled.samples else 0.0
        found.append(Figure("accuracy", f"{100 * share:.2f} %", note))
    speed = report.performance
    if speed is not None:
        measured = speed.ii_cycles is not None
        cycles = speed.ii_cycles if measured else speed.ii_cycles_estimate
        assert cycles is not None
        how = "measured" if measured else "estimated"
        rate = count(round(speed.fps))
        found.append(Figure("frames per second", rate, f"at {speed.clock_mhz:g} MHz, {how}"))
        found.append(Figure("cycles per frame", count(cycles), how))
        late = speed.latency_cycles or speed.latency_cycles_estimate
        if late is not None:
            time = late / speed.clock_mhz
            how = "measured" if speed.latency_cycles is not None else "estimated"
            note = f"{count(late)} cycles, {how}"
            found.append(Figure("latency", f"{time:,.1f} µs", note))
    if report.timing is not None:
        found.append(_highest_clock(report, report.timing))
    if report.resources is not None:
        made = report.resources.synthesis
        used = made or report.resources.estimate
        device = report.resources.device
        how = "synthesised" if made else "estimated"
        share = used.LUT / device.LUT if device.LUT else 0.0
        found.append(Figure("LUTs", count(used.LUT), f"{percent(share)} of the device, {how}"))
    checked = report.verification
    if checked.levels:
        levels = ", ".join(level.level for level in checked.levels)
        note = f"over {count(checked.samples)} samples ({levels})"
        wrong = checked.mismatches
        found.append(Figure("wrong integers", count(wrong), note, bad=wrong > 0))
    return found


def _highest_clock(report: Report, timing: TimingReport) -> Figure:
    layer = next((layer for layer in report.layers if layer.name == timing.layer), None)
    name = timing.layer if layer is None else layer.instance or layer.name
    if layer is not None and layer.source_nodes:
        name += f" ({layer.source_nodes[-1]})"
    held = f"{timing.fmax_mhz:g} MHz"
    note = f"by the timing model; slowest: {name}"
    return Figure("highest clock", held, note, bad=timing.fmax_mhz < report.clock_mhz)


def time_bars(report: Report) -> list[TimeBar]:
    """Layers by cycles, the bottleneck first, ties in the order of the data."""
    if not report.layers:
        return []
    named = report.performance.bottleneck if report.performance else ""
    order = sorted(
        range(len(report.layers)),
        key=lambda i: (-report.layers[i].cycles, report.layers[i].name != named),
    )
    most = report.layers[order[0]].cycles
    bars = []
    for index in order:
        layer = report.layers[index]
        folding = [f"{n} {v}" for n, v in (("PE", layer.PE), ("SIMD", layer.SIMD)) if v is not None]
        bars.append(
            TimeBar(
                layer_key(index),
                layer.instance or layer.name,
                " · ".join(folding),
                layer.cycles,
                layer.cycles / most,
                layer.cycles == most,
            )
        )
    return bars


def resource_bars(report: Report) -> list[ResourceScale]:
    """Estimate and synthesis of each primitive, against the device and the budget."""
    total = report.resources
    if total is None:
        return []
    counts = [("estimated", total.estimate)]
    if total.synthesis is not None:
        counts.append(("synthesised", total.synthesis))
    return [_scale(name, total.device, total.budget, counts) for name in RESOURCE_NAMES]


def _scale(
    name: str,
    device: ResourceCount,
    budget: ResourceCount,
    counts: Sequence[tuple[str, ResourceCount]],
) -> ResourceScale:
    there, allowed = getattr(device, name), getattr(budget, name)
    whole = max(there, 1)
    bars = []
    for label, found in counts:
        used = getattr(found, name)
        bars.append(ResourceBar(label, used, used / whole, used > allowed))
    return ResourceScale(name, there, allowed, min(1.0, allowed / whole), bars)


def timeline(steps: Sequence[tuple[str, float]]) -> list[Span]:
    """Where each of several steps one after the other begins and how long it is, in percent."""
    total = sum(time for _, time in steps) or 1.0
    spans, before = [], 0.0
    for _, time in steps:
        spans.append(Span(100 * before / total, 100 * time / total, seconds(time)))
        before += time
    return spans


@dataclass(frozen=True)
class Places:
    """How many of the model's nodes went where."""

    words: str
    origins: list[NodeOrigin]


def places(report: Report) -> Places:
    """The model's nodes, and how many are where."""
    names = {
        "dataflow": "in the accelerator",
        "host-pre": "on the host before it",
        "host-post": "on the host after it",
        "folded": "folded away",
        "open": "undecided",
    }
    parts = []
    for place, words in names.items():
        number = sum(place in origin.places for origin in report.provenance)
        if number:
            parts.append(f"{count(number)} {words}")
    return Places(", ".join(parts), report.provenance)


@dataclass(frozen=True)
class Seen:
    """How far verification looked, at all layers together and at each."""

    whole: CoverageReport | None
    layers: list[Layer]


def coverage(report: Report) -> Seen:
    """Layers of which there is something to say."""
    layers = [layer for layer in report.layers if layer.coverage is not None]
    return Seen(report.verification.coverage, layers)


_FILES = {
    "golden": "the quantized network, standard ONNX",
    "compiled": "the compiled network, standard ONNX",
    "dataflow": "the dataflow graph",
    "folding": "the folding of every node, for --folding",
    "host_pre": "the host's part before the accelerator",
    "host_post": "the host's part after it",
    "rtl": "SystemVerilog",
    "emulator": "the C++ emulator",
    "hls": "C++ for Vitis HLS",
    "stitched_ip": "the IP for Vivado",
    "driver": "the driver's package",
    "bitstream": "the bitstream",
}


def artifacts(report: Report) -> list[tuple[str, str]]:
    """Paths below the build's folder, and what they are."""
    found = [("report.json", "all of this, for programs")]
    for name in Artifacts.model_fields:
        path = getattr(report.artifacts, name)
        if path and name in _FILES and re.fullmatch(r"\w[\w./-]*", path, re.ASCII):
            found.append((path, _FILES[name]))
    return found
