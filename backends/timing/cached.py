# SPDX-License-Identifier: Apache-2.0
"""Timing of netlists, kept beside them in the cache."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path as FilePath
from typing import Any

from qnnc.backends.simulation.compiler import digest
from qnnc.backends.timing.module import netlist_timing
from qnnc.backends.timing.path import ModuleTiming, Path
from qnnc.backends.timing.wires import Wires
from qnnc.compiler.files import write_text

VERSION = "3"
"""Of the analysis and of the cells' delays; a change of either takes a new one, so that what an
older one has found is not used."""


def cached_timing(netlist: FilePath, top: str, cache: FilePath) -> ModuleTiming:
    """The timing of a netlist that lies in the cache, under a name that says its content.

    Raises:
        ToolError: as `netlist_timing` says.
    """
    key = digest("timing", VERSION, str(Wires()), netlist.parent.name, top)
    target = cache / f"{key}-timing.json"
    if target.is_file():
        return _read(json.loads(target.read_text(encoding="utf-8")))
    timing = netlist_timing(json.loads(netlist.read_text(encoding="utf-8")), top)
    plain = asdict(timing)
    plain["passing"] = [[*ports, asdict(path)] for ports, path in timing.passing.items()]
    write_text(target, json.dumps(plain))
    return timing


def _read(plain: dict[str, Any]) -> ModuleTiming:
    def paths(found: dict[str, Any]) -> dict[str, Path]:
        return {name: Path(**path) for name, path in found.items()}

    return ModuleTiming(
        inside=None if plain["inside"] is None else Path(**plain["inside"]),
        leaving=paths(plain["leaving"]),
        entering=paths(plain["entering"]),
        passing={(port, out): Path(**path) for port, out, path in plain["passing"]},
        pins=plain["pins"],
    )
