# SPDX-License-Identifier: Apache-2.0
"""Results of a study as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from qnnc.compiler.resources import RESOURCE_NAMES

Result = Mapping[str, Any]

GOALS = ("same_speed", "fastest")
TIMED = "training_seconds"
"""Columns with this in their name differ from run to run; all others do not."""
_FIGURES = (
    "fits",
    "fps",
    "cycles",
    "latency_us",
    "energy_uj",
    "memory_bytes",
    "memory_ports",
    "weights",
    "slowest",
    "limit",
    "dataflow_samples",
    "dataflow_mismatches",
    "near_ties",
    "rtl_frames",
    "rtl_mismatches",
    "reason",
)


def row(result: Result) -> dict[str, Any]:
    """One network as a row: values by column name, those that are not known left out."""
    cells: dict[str, Any] = {
        "name": result["name"],
        "weights": _bits(result["weights"]),
        "activations": _bits(result["activations"]),
        "compression": round(result["compression"], 3),
    }
    cells |= {name: result.get(name) for name in ("seed", "train_images", "test_images")}
    cells["version"] = result.get("version")
    for epochs, found in result["epochs"].items():
        for key, value in found.items():
            cells[f"{key}@{epochs}"] = round(value, 4) if isinstance(value, float) else value
    for goal in GOALS:
        built = result.get(goal, {})
        cells |= {f"{goal}.{key}": _plain(built.get(key)) for key in _FIGURES}
        for kind in ("estimate", "synthesis"):
            counts = built.get(kind) or {}
            cells |= {f"{goal}.{kind}.{name}": counts.get(name) for name in RESOURCE_NAMES}
    return {name: value for name, value in cells.items() if value is not None}


def _bits(widths: list[int]) -> str:
    return str(widths[0]) if len(set(widths)) == 1 else "-".join(map(str, widths))


def _plain(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def to_csv(results: Mapping[str, Result]) -> str:
    """All networks as CSV with a header, a row for each seed, of which the first was built;
    columns that no network fills are left out."""
    rows = [row(one) for result in results.values() for one in (result, *result.get("repeats", ()))]
    columns = list(dict.fromkeys(column for cells in rows for column in cells))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
