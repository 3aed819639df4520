# SPDX-License-Identifier: Apache-2.0
"""A summary of a build, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qnnc.compiler.page.text import shortened
from qnnc.compiler.report import (
    CoverageReport,
    QuantizationReport,
    Report,
    ResourceCount,
    TimingReport,
)
from qnnc.compiler.resources import RESOURCE_NAMES

MEMORY = {
    "block": "BRAM",
    "distributed": "LUT",
    "trits": "BRAM 5/8",
    "external": "DDR",
    "logic": "logic",
}


def show_report(report: Report, out: Path) -> None:
    """Print what a person wants to know about a build."""
    console = Console()
    console.print(f"[bold]{escape(report.board)}[/] ({escape(report.part)})", highlight=False)
    if report.layers:
        console.print(_layer_table(report), "")
    if report.resources is not None:
        console.print(_resource_table(report), "")
    if report.performance is not None:
        p = report.performance
        named = {layer.name: layer.instance or layer.name for layer in report.layers}
        slowest = named.get(p.bottleneck, p.bottleneck)
        measured = "" if p.ii_cycles is None else f" (measured {p.ii_cycles:,.1f})"
        latency = (
            ""
            if p.latency_cycles is None
            else (f", latency {p.latency_cycles / p.clock_mhz:,.1f} µs")
        )
        console.print(
            f"[bold]{p.fps:,.0f} frames/s[/] at {p.clock_mhz:g} MHz: {p.ii_cycles_estimate:,} "
            f"cycles per frame{measured}{latency}; slowest: {escape(slowest)}",
            highlight=False,
            soft_wrap=True,
        )
        if report.timing is not None:
            console.print(clock_text(report, report.timing), highlight=False, soft_wrap=True)
        if p.memory_bytes:
            ports = f" over {p.memory_ports} ports" if p.memory_ports > 1 else ""
            batch = f"{p.batch} frames at once, " if p.batch > 1 else ""
            console.print(
                f"{batch}{p.memory_bytes:,.0f} bytes of weights per frame from memory{ports}",
                highlight=False,
            )
    if report.quantization is not None:
        console.print(quantization_text(report.quantization), highlight=False, soft_wrap=True)
    for level in report.verification.levels:
        what = "random samples" if level.random_inputs else "samples"
        if level.corner_samples:
            what += f", {level.corner_samples} of them corner samples"
        ties = f", {level.near_ties} near-ties" if level.near_ties else ""
        colour = "green" if level.mismatches == 0 else "red"
        console.print(
            f"[{colour}]{level.level}: {level.mismatches} mismatches[/] in {level.tensors} "
            f"tensors of {level.samples} {what}{ties} ({escape(level.engine)})",
            highlight=False,
            soft_wrap=True,
        )
    seen = report.verification.coverage
    if seen is not None:
        console.print(coverage_text(seen), highlight=False, soft_wrap=True)
    for stage in report.stages:
        if stage.status == "skipped":
            console.print(f"{stage.name}: {escape(stage.reason)}", highlight=False)
    for name in ("stitched_ip", "driver", "bitstream"):
        path = getattr(report.artifacts, name)
        if path:
            typer.echo(f"{name.replace('_', ' ')}: {out / path}")
    typer.echo(f"report: {out / (report.artifacts.page or 'report.json')}")


def clock_text(report: Report, timing: TimingReport) -> str:
    """The highest clock, and what limits it, in one line."""
    layer = next(layer for layer in report.layers if layer.name == timing.layer)
    name = layer.instance or layer.name
    if layer.source_nodes:
        name += f" ({shortened(layer.source_nodes[-1], 40)})"
    colour = "red" if timing.fmax_mhz < report.clock_mhz else "green"
    text = f"timing: [{colour}]{timing.fmax_mhz:g} MHz[/] by the model; slowest: {escape(name)}"
    if layer.timing is None:
        return text
    path = layer.timing
    ways = escape(f"{path.start} → {path.end}")
    return f"{text}, {path.ns:.2f} ns over {path.levels} levels, {ways}"


def coverage_text(seen: CoverageReport) -> str:
    """How far verification looked, in one line."""
    parts = []
    if seen.thresholds:
        parts.append(f"{seen.crossed:,} of {seen.thresholds:,} thresholds crossed")
    parts.append(f"{100 * seen.range_seen:.0f} % of the sums' ranges seen")
    parts.append(f"{seen.ends_reached:,} of {seen.ends:,} ends reached")
    return f"coverage: {', '.join(parts)}"


def show_labels(report: Report, out: Path, samples: Path, labels: Path) -> None:
    """Print how many samples the build labels correctly."""
    from qnnc.compiler.api import verify

    verdict = report.accuracy or verify(out, samples, labels)
    if verdict.correct is not None:
        share = 100 * verdict.correct / verdict.samples
        typer.echo(f"correct {verdict.correct} of {verdict.samples} ({share:.2f} %)")
        typer.echo(same_as_golden(verdict.same, verdict.near, verdict.samples))


def same_as_golden(same: int, near: int, samples: int) -> str:
    """How many answers equal the golden graph's, and how many differ by its rounding alone."""
    text = f"same as golden {same} of {samples}"
    return text + (f"; in {near} more float32's rounding decides" if near else "")


ROUNDED = 4
"""Up to so many bits, weights that are only rounded often cost too much accuracy."""


def show_quantization(report: QuantizationReport) -> None:
    """Print what quantization costs: layer by layer, outputs, answers."""
    console = Console()
    table = _table(("layer", "operator"), ("weights", "output"))
    for layer in report.layers:
        errors = (layer.weight_error, layer.output_error)
        table.add_row(
            escape(shortened(layer.node, 40)),
            layer.op,
            *("" if error is None else f"{100 * error:.2f} %" for error in errors),
        )
    table.add_row("outputs", "", "", f"{100 * report.output_error:.2f} %")
    console.print("error of each layer, root mean square, as a share of its size:")
    console.print(table, "")
    console.print(quantization_text(report), highlight=False, soft_wrap=True)
    if report.weight_bits <= ROUNDED:
        console.print(
            f"weights of {report.weight_bits} bits were rounded, not trained: if that costs too "
            "much, train the network with its quantizers (Brevitas, qnnc[train])",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def quantization_text(report: QuantizationReport) -> str:
    """How the quantized network answers, against the float one, in one line."""
    bits = f"{report.weight_bits}-bit weights, 8-bit activations"
    count = report.samples
    if report.float_correct is None or report.quantized_correct is None:
        same = f"{report.same} of {count} answers are the same, " if report.same is not None else ""
        return f"{bits}: {same}outputs differ by {100 * report.output_error:.2f} %"
    shares = [100 * n / count for n in (report.float_correct, report.quantized_correct)]
    text = (
        f"{bits}: float {report.float_correct} of {count} correct ({shares[0]:.2f} %), quantized "
        f"{report.quantized_correct} ({shares[1]:.2f} %)"
    )
    return text if report.same is None else f"{text}; {report.same} answers are the same"


def _table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table that fits 80 characters."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in texts:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, no_wrap=True, justify="right")
    return table


def _layer_table(report: Report) -> Table:
    table = _table(
        ("layer", "in → out", "memory"), ("PE", "SIMD", "cycles", "LUT", "BRAM18", "DSP")
    )
    for layer in report.layers:
        used = layer.synthesis or layer.resources
        mark = "" if layer.synthesis else "~"
        table.add_row(
            escape(shortened(layer.instance or layer.name, 20)),
            f"{layer.input_type} → {layer.output_type}",
            MEMORY.get(layer.weights or layer.ram_style or "", ""),
            _text(layer.PE),
            _text(layer.SIMD),
            f"{layer.cycles:,}",
            f"{mark}{used.LUT:,}",
            f"{used.BRAM18:,}",
            f"{used.DSP:,}",
        )
    return table


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _resource_table(report: Report) -> Table:
    assert report.resources is not None
    table = _table(("",), RESOURCE_NAMES)
    device = report.resources.device

    def row(name: str, count: ResourceCount) -> None:
        cells = []
        for resource in RESOURCE_NAMES:
            used, there = getattr(count, resource), getattr(device, resource)
            cells.append(f"{used:,} ({100 * used / there:.1f} %)")
        table.add_row(name, *cells)

    row("estimate", report.resources.estimate)
    if report.resources.synthesis is not None:
        row("synthesised", report.resources.synthesis)
    row("budget", report.resources.budget)
    return table
