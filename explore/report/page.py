# SPDX-License-Identifier: Apache-2.0
"""study.html: one self-contained page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qnnc import __version__
from qnnc.compiler.files import write_text
from qnnc.compiler.resources import RESOURCE_NAMES
from qnnc.explore.report import figures as draw
from qnnc.explore.report.files import FIGURES, PAGE, SEARCHED, TABLE
from qnnc.explore.report.findings import findings
from qnnc.explore.report.grid import error, grid, resource
from qnnc.explore.report.paper import TABLE_2
from qnnc.explore.results import Result, to_csv
from qnnc.explore.study import Study

Results = Mapping[str, Result]


def write_report(
    study: Study, results: Results, failures: Mapping[str, str], searched: Results, out: Path
) -> Path:
    """Write results.csv, the figures and study.html; returns the page's path.

    Raises:
        ToolError: matplotlib is not installed.
        WorkspaceError: a file cannot be written.
    """
    write_text(out / TABLE, to_csv(results))
    if searched:
        write_text(out / SEARCHED, to_csv(searched))
    pictures = [p for p in _figures(study, results, searched, out / FIGURES) if p["path"]]
    for picture in pictures:
        picture["svg"] = Markup(_inline(picture["path"]))  # noqa: S704 (our own drawing)
    environment = Environment(
        loader=PackageLoader("qnnc.explore.report"), autoescape=True, undefined=StrictUndefined
    )
    whole = study.complete(results)
    page = environment.get_template("study.html.j2").render(
        study=study,
        version=__version__,
        data=next((r["data"] for r in results.values()), "no network is finished"),
        trained=_trained(study),
        tiles=_tiles(study, results),
        failures=failures,
        findings=findings(whole, results) if study.paper else [],
        judged=_judged(study, whole),
        extremes=_extremes(study, results) if study.paper else [],
        figures=pictures,
        names=("LUT", "FF", "BRAM18", "DSP"),
        synthesised=_synthesised(results),
        columns=_columns(study, results),
        rows=[_row(study, result) for result in [*results.values(), *searched.values()]],
    )
    write_text(out / PAGE, page)
    return out / PAGE


def _inline(path: Path) -> str:
    """An SVG file without what only a file has, and with names of its own: a page has many."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    prefix = path.stem
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)


def _trained(study: Study) -> str:
    last = study.training.epochs[-1]
    if last == 0:
        return "The networks are not trained: random weights, fitted batch norms."
    return f"Trained for up to {last} epochs."


def _judged(study: Study, whole: Study) -> str:
    """Which networks the findings are about."""
    if whole.quantization == study.quantization:
        return f"of all {len(study.grid())} networks"
    bits = whole.quantization
    weights, activations = (", ".join(map(str, w)) for w in (bits.weights, bits.activations))
    return (
        f"of the {len(whole.grid())} networks with weights of {weights} and activations of "
        f"{activations} bits: the largest grid that is finished"
    )


def _tiles(study: Study, results: Results) -> list[dict[str, str]]:
    fitting = [r for r in results.values() if r["fastest"]["fits"]]
    errors = grid(study, results, error(study.training.epochs[-1]))
    tiles = [
        {"value": f"{len(results)} of {len(study.grid())}", "text": "networks finished"},
        {
            "value": f"{len(fitting)} of {len(results)}",
            "text": f"fit {study.hardware.board} by the resource model",
        },
    ]
    if np.isfinite(errors).any():
        tiles.append({"value": f"{np.nanmin(errors):.2f} %", "text": "least error"})
    if fitting:
        fastest = max(fitting, key=lambda r: float(r["fastest"]["fps"]))
        value = f"{fastest['fastest']['fps']:,.0f}"
        tiles.append({"value": value, "text": f"frames/s, the fastest ({fastest['name']})"})
    return tiles


def _figures(
    study: Study, results: Results, searched: Results, folder: Path
) -> list[dict[str, Any]]:
    epochs = study.training.epochs[-1]
    drawn: list[tuple[str, str, Path | None, str]] = [
        ("figure-5", "Error (figure 5)", draw.error_maps(study, results, folder),
         "Of the compiled integers on the test images; each panel has colours of its own range."),
        ("figure-6", "Resources (figure 6)", draw.resource_maps(study, results, folder),
         "By the resource model, at the same frames/s, all weights on a chip without limits."),
        ("figure-7", "Trade-offs (figure 7)", draw.radar(study, results, folder),
         f"1, outermost, is the best of the grid and 0 the worst; accuracy after {epochs} epochs."),
        ("fit-map", "What fits, and how fast", draw.fit_map(study, results, folder),
         f"Fastest folding within {study.hardware.budget:.0%} of the board at its clock."),
        ("pareto", "Error against resources", draw.pareto(study, results, searched, folder),
         "The line is the front: no other network is better in both."),
    ]  # fmt: skip
    return [
        {"id": name, "title": title, "path": path, "caption": caption}
        for name, title, path, caption in drawn
    ]


def _extremes(study: Study, results: Results) -> list[dict[str, str]]:
    rows = []
    for paper in TABLE_2:
        measure = error(study.training.epochs[-1]) if paper.metric == "error" else None
        table = grid(study, results, measure or resource(paper.metric))
        form = ".2f" if paper.unit else ",.0f"
        known = np.isfinite(table).any()
        rows.append(
            {
                "metric": f"{paper.metric} {paper.unit}".strip(),
                "paper_worst": format(paper.worst, form),
                "paper_best": format(paper.best, form),
                "worst": format(float(np.nanmax(table)), form) if known else "–",
                "best": format(float(np.nanmin(table)), form) if known else "–",
            }
        )
    return rows


def _synthesised(results: Results) -> list[dict[str, Any]]:
    rows = []
    for name, result in results.items():
        built = result["fastest"]
        if not built.get("synthesis"):
            continue
        cells: list[str] = []
        for resource_name in RESOURCE_NAMES:
            estimate = built["estimate"][resource_name]
            measured = built["synthesis"][resource_name]
            off = f"{estimate / measured - 1:+.1%}" if measured else "–"
            cells += [f"{estimate:,}", f"{measured:,}", off]
        mismatches = built["rtl_mismatches"]
        rows.append(
            {"name": name, "cells": cells, "frames": built["rtl_frames"], "mismatches": mismatches}
        )
    return rows


def _attacks(result: Result) -> list[str]:
    last = list(result["epochs"].values())[-1]
    return [key for key in last if key.startswith(("fgsm", "pgd"))]


def _columns(study: Study, results: Results) -> list[str]:
    first = next(iter(results.values()), None)
    return [
        "network",
        *(f"error %, {epochs} epochs" for epochs in study.training.epochs),
        "training s",
        *([f"{key.replace('_', ' ε ')}, error %" for key in _attacks(first)] if first else []),
        "compression",
        "frames/s",
        "latency µs",
        *RESOURCE_NAMES,
        "limit",
        "energy µJ",
        "fits",
    ]


def _row(study: Study, result: Result) -> list[str]:
    last = list(result["epochs"].values())[-1]
    built = result["fastest"]
    counts = built.get("estimate") or {}

    def shown(value: float | None, form: str) -> str:
        return "–" if value is None else format(value, form)

    errors = [
        result["epochs"].get(str(epochs), {}).get("error") for epochs in study.training.epochs
    ]
    if all(value is None for value in errors):
        errors[-1] = last["error"]  # a network of the search has an epoch count of its own
    return [
        result["name"],
        *(shown(value, ".2f") for value in errors),
        shown(last["training_seconds"], ".0f"),
        *(shown(last[key], ".1f") for key in _attacks(result)),
        shown(result["compression"], ".1f"),
        shown(built.get("fps"), ",.0f"),
        shown(built.get("latency_us"), ",.1f"),
        *(shown(counts.get(name), ",") for name in RESOURCE_NAMES),
        built.get("limit", "–"),
        shown(built.get("energy_uj"), ".2f"),
        "yes" if built["fits"] else f"no: {built['reason']}",
    ]
