# SPDX-License-Identifier: Apache-2.0
"""The figures of a study, drawn with matplotlib."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import ToolError
from qnnc.explore.report.grid import error, figure, grid, resource
from qnnc.explore.report.paper import RADAR
from qnnc.explore.results import Result
from qnnc.explore.study import Study

Results = Mapping[str, Result]
PANEL = 3.4
"""Inches of a panel's side."""


def pyplot() -> Any:
    """matplotlib, without a display; raises ToolError if it is not installed."""
    try:
        importlib.import_module("matplotlib").use("Agg")
        plots = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ToolError(
            f"figures need matplotlib ({error}): pip install 'qnnc[explore]'"
        ) from error
    plots.rcParams.update(
        {
            "svg.hashsalt": "qnnc",  # the same figure, the same file
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    return plots


def save(plots: Any, drawn: Any, folder: Path, name: str) -> Path:
    """Write a figure as SVG and PNG and close it; returns the path of the SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.svg"
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # neither versions nor addresses
    drawn.savefig(path, metadata=nothing, bbox_inches="tight")
    drawn.savefig(path.with_suffix(".png"), dpi=150, bbox_inches="tight")
    plots.close(drawn)
    return path


def heat_maps(
    study: Study,
    tables: dict[str, NDArray[np.float64]],
    text: str,
    colours: str = "viridis_r",
    scale: str = "linear",
) -> tuple[Any, Any]:
    """Panels of tables [weights, activations] side by side, activation widths up and weight widths
    to the right, each with the colours of its own range; `text` formats a cell's number, `scale` is
    that of the colours."""
    plots = pyplot()
    bits = study.quantization
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    size = (columns * PANEL * 1.15, rows * PANEL)
    drawn, axes = plots.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat[len(tables) :]:
        axis.axis("off")
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=False):
        norm = scale if np.isfinite(table).any() else "linear"  # logarithms want a range
        image = axis.imshow(table, origin="lower", cmap=colours, norm=norm, aspect="equal")
        axis.set_xticks(range(len(bits.weights)), bits.weights)
        axis.set_yticks(range(len(bits.activations)), bits.activations)
        axis.set(title=title, xlabel="weight bits", ylabel="activation bits")
        _write_cells(axis, image, table, text)
    return plots, drawn


def _write_cells(axis: Any, image: Any, table: NDArray[np.float64], text: str) -> None:
    size = 9 if table.shape[1] <= 4 else 6
    for (i, j), value in np.ndenumerate(table):
        place = float(np.squeeze(image.norm(value))) if np.isfinite(value) else np.nan
        shade = image.cmap(place)[:3] if np.isfinite(place) else (1, 1, 1)
        dark = float(np.dot(shade, (0.299, 0.587, 0.114))) < 0.5
        shown = format(value, text) if np.isfinite(value) else "–"
        axis.text(j, i, shown, ha="center", va="center", size=size, color="w" if dark else "k")


def error_maps(study: Study, results: Results, folder: Path) -> Path:
    """Figure 5: error after each epoch count."""
    tables = {
        f"error in %, {epochs} epochs": grid(study, results, error(epochs))
        for epochs in study.training.epochs
    }
    return save(*heat_maps(study, tables, ".1f", "viridis"), folder, "figure-5-error")


def resource_maps(study: Study, results: Results, folder: Path) -> Path:
    """Figure 6: resources, all networks at the same speed."""
    tables = {
        f"{name} at {study.hardware.fps:,.0f} frames/s": grid(study, results, resource(name))
        for name in ("LUT", "FF", "BRAM18")
    }
    return save(*heat_maps(study, tables, ",.0f"), folder, "figure-6-resources")


def fit_map(study: Study, results: Results, folder: Path) -> Path:
    """Thousands of frames per second of the fastest build of each network that fits."""
    title = f"thousand frames/s on {study.hardware.board}; –: does not fit"
    table = grid(study, results, figure("fps")) / 1000
    return save(*heat_maps(study, {title: table}, ",.3g", "cividis", "log"), folder, "fit-map")


def radar(study: Study, results: Results, folder: Path) -> Path | None:
    """Figure 7: accuracy and resources of some networks, 1 for the best of all and 0 for the
    worst; None if there are too few to draw."""
    epochs = study.training.epochs[-1]
    axes_of = {"accuracy": error(epochs), **{n: resource(n) for n in ("BRAM18", "FF", "LUT")}}
    scores = {n: _scores(grid(study, results, value)) for n, value in axes_of.items()}
    bits = study.quantization
    places = {
        f"W{w}A{a}": (i, j)
        for i, a in enumerate(bits.activations)
        for j, w in enumerate(bits.weights)
    }
    panels = {
        title: [n for n in names if n in places and _known(scores, places[n])]
        for title, names in RADAR.items()
    }
    if not any(len(names) > 1 for names in panels.values()):
        return None
    plots = pyplot()
    drawn, polar = plots.subplots(
        1, len(panels), figsize=(len(panels) * PANEL * 1.1, PANEL * 1.25), layout="constrained",
        subplot_kw={"projection": "polar"},
    )  # fmt: skip
    angles = np.linspace(0, 2 * np.pi, len(axes_of), endpoint=False)
    for axis, (title, names) in zip(polar, panels.items(), strict=True):
        axis.set_xticks(angles, list(axes_of))
        axis.tick_params(axis="x", pad=10)
        axis.set(ylim=(0, 1), yticks=(0.5, 1), yticklabels=("", ""))
        axis.set_title(title, pad=16)
        for name in names:
            values = [scores[n][places[name]] for n in axes_of]
            axis.plot([*angles, angles[0]], [*values, values[0]], label=name, linewidth=1.4)
        if names:
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    return save(plots, drawn, folder, "figure-7-radar")


def _scores(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the smallest, 0 for the largest."""
    if np.isnan(table).all():
        return table
    low, high = np.nanmin(table), np.nanmax(table)
    return (high - table) / (high - low) if high > low else np.ones_like(table)


def _known(scores: dict[str, NDArray[np.float64]], place: tuple[int, int]) -> bool:
    return all(np.isfinite(table[place]) for table in scores.values())


def pareto_points(points: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Those that no other point beats in both values, smaller being better, from left to right."""
    best, front = np.inf, []
    for point in sorted(points, key=lambda p: (p[1], p[2])):
        if point[2] < best:
            best = point[2]
            front.append(point)
    return front


def pareto(study: Study, results: Results, searched: Results, folder: Path) -> Path | None:
    """Error over LUTs and over BRAM18s at the same speed, with the front of each."""
    plots, ticker = pyplot(), importlib.import_module("matplotlib.ticker")
    names = ("LUT", "BRAM18")
    drawn, axes = plots.subplots(
        1, 2, figsize=(PANEL * 2.6, PANEL * 1.1), layout="constrained", sharey=True
    )
    anything = False
    for axis, name in zip(axes, names, strict=True):
        everything = []
        for kind, some, mark in (("grid", results, "o"), ("search", searched, "^")):
            points = _points(some, name)
            everything += points
            if points:
                axis.scatter(*zip(*(p[1:] for p in points), strict=True), s=16, marker=mark,
                             alpha=0.6, label=kind)  # fmt: skip
        front = pareto_points(everything)
        anything |= bool(front)
        if front:
            axis.plot(*zip(*(p[1:] for p in front), strict=True), drawstyle="steps-post", lw=1)
        for label, x, y in front:
            axis.annotate(label, (x, y), size=6.5, xytext=(2, 3), textcoords="offset points",
                          rotation=40)  # fmt: skip
        axis.set(xlabel=f"{name} at {study.hardware.fps:,.0f} frames/s", xscale="log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes[0].set_ylabel("error in %")
    if not anything:
        plots.close(drawn)
        return None
    axes[0].legend(frameon=False)
    return save(plots, drawn, folder, "pareto")


def _points(results: Results, name: str) -> list[tuple[str, float, float]]:
    return [
        (label, cost, float(list(result["epochs"].values())[-1]["error"]))
        for label, result in results.items()
        if (cost := resource(name)(result))
    ]
