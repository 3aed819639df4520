# SPDX-License-Identifier: Apache-2.0
"""Linking netlists that were synthesised one by one into a flat one.

Nodes come from the synthesis cache. Contents of memories are placeholders in them, so that the
linked netlist, and its place and route, serve every model of the same shape.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import TOP
from qnnc.backends.design import Design, Instance
from qnnc.backends.simulation.compiler import digest
from qnnc.backends.synthesis import SynthesisResult
from qnnc.backends.synthesis.script import DEFINES, library_commands, node_commands
from qnnc.backends.yosys import run_script, yosys_version
from qnnc.compiler.files import write_bytes

Modules = dict[str, Any]


def link_accelerator(design: Design, nodes: SynthesisResult, cache: Path) -> Path:
    """The flat netlist (Yosys JSON) of the stitched accelerator alone."""
    return _link(design, nodes, cache, design.top, {})


def link_shell(shell: Shell, nodes: SynthesisResult, cache: Path) -> Path:
    """The flat netlist (Yosys JSON) of all that goes into the programmable logic."""
    return _link(shell.design, nodes, cache, TOP, shell.top_sources)


def _link(
    design: Design, nodes: SynthesisResult, cache: Path, top: str, sources: Mapping[str, str]
) -> Path:
    units = {node.instance: node.netlist for node in nodes.nodes}
    key = digest(
        "link 1",
        yosys_version(),
        top,
        design.top_text,
        *(f"{name} {path.parent.name}" for name, path in sorted(units.items())),
        *(f"{name}\n{text}" for name, text in sorted(sources.items())),
    )
    target = cache / f"{key}-netlist.json"
    if target.is_file():
        return target
    with tempfile.TemporaryDirectory(prefix="qnnc-link-") as name:
        work = Path(name)
        modules = _stitched(design, units, work)
        if sources:
            own = synthesised_shell(design, sources, top, work)
            modules = {**own, **modules}
        _write(work / "linked.json", modules)
        run_script(
            [
                "read_json linked.json",
                f"hierarchy -top {top}",
                "setattr -mod -unset keep_hierarchy A:keep_hierarchy",
                "flatten",
                "delete t:$scopeinfo",
                "opt_clean",
                "setattr -unset src -unset hdlname t:*",
                "write_json -noscopeinfo flat.json",
            ],
            work,
            work / "link.log",
            "linking",
        )
        write_bytes(target, (work / "flat.json").read_bytes())
    return target


def _stitched(design: Design, units: Mapping[str, Path], work: Path) -> Modules:
    """The accelerator's top, its cells replaced by the nodes' netlists."""
    stubs = {i.rtl.module: _stub(i) for i in design.instances}
    (work / "stubs.sv").write_text("\n".join(stubs.values()), encoding="utf-8")
    (work / "stitched.sv").write_text(design.top_text, encoding="utf-8")
    run_script(
        [
            "read_verilog -sv stubs.sv stitched.sv",
            f"hierarchy -top {design.top}",
            "proc",
            "opt_clean",
            "write_json stitched.json",
        ],
        work,
        work / "stitched.log",
        "reading the stitched top",
    )
    modules = _load(work / "stitched.json")
    result: Modules = {design.top: modules[design.top]}
    loaded: dict[Path, str] = {}
    for instance in design.instances:
        path = units[instance.name]
        if path not in loaded:
            prefix = f"u{len(loaded)}_"
            loaded[path] = prefix + instance.rtl.module
            result.update(_renamed(_load(path), prefix))
        cell = result[design.top]["cells"][instance.name]
        cell["type"] = loaded[path]
        cell["parameters"] = {}
    return result


def _renamed(modules: Modules, prefix: str) -> Modules:
    """Modules with bodies under new names; library cells stay as they are."""
    own = {name for name, module in modules.items() if not _is_library(module)}
    result: Modules = {}
    for name, module in modules.items():
        if name not in own:
            result[name] = module
            continue
        for cell in module["cells"].values():
            if cell["type"] in own:
                cell["type"] = prefix + cell["type"]
        module["attributes"].pop("top", None)
        result[prefix + name] = module
    return result


def _is_library(module: Mapping[str, Any]) -> bool:
    attributes = module.get("attributes", {})
    return "blackbox" in attributes or "whitebox" in attributes


def synthesised_shell(design: Design, sources: Mapping[str, str], top: str, work: Path) -> Modules:
    """The shell, synthesised with a black box in place of the accelerator."""
    for name, text in {**sources, "hole.sv": _hole(design)}.items():
        (work / name).write_text(text, encoding="utf-8")
    (work / "shell").mkdir()
    (work / "build_id.mem").write_text(64 * "00000000\n", encoding="utf-8")
    library_ = library_commands()
    commands = [*library_[:1], "read_verilog -lib +/xilinx/cells_xtra.v", *library_[1:]]
    own = node_commands(sorted(sources), top, "shell", block_ram=False)
    commands += [own[0], f"read_verilog -sv {DEFINES} hole.sv", *own[1:]]
    run_script(commands, work, work / "shell.log", "synthesis of the shell")
    modules = _load(work / "shell" / "netlist.json")
    del modules[design.top]
    return modules


def _hole(design: Design) -> str:
    ports = ["input aclk", "input aresetn"]
    for direction, group in (("input", design.entries), ("output", design.outputs)):
        back = "output" if direction == "input" else "input"
        for port in group:
            ports.append(f"{direction} [{port.bytes * 8 - 1}:0] {port.name}_tdata")
            ports.append(f"{direction} {port.name}_tvalid")
            ports.append(f"{back} {port.name}_tready")
    return f"(* blackbox *)\nmodule {design.top} ({', '.join(ports)});\nendmodule\n"


def _stub(instance: Instance) -> str:
    parameters = ", ".join(f'parameter {p} = ""' for p in instance.rtl.memories)
    header = f" #({parameters})" if parameters else ""
    ports = ["input aclk", "input aresetn"]
    for way, back, group in (
        ("input", "output", instance.rtl.s_ports),
        ("output", "input", instance.rtl.m_ports),
    ):
        for name, bits in group:
            ports += [f"{way} [{bits - 1}:0] {name}_tdata", f"{way} {name}_tvalid"]
            ports += [f"{back} {name}_tready"]
    return (
        f"(* blackbox *)\nmodule {instance.rtl.module}{header} ({', '.join(ports)});\nendmodule\n"
    )


def _load(path: Path) -> Modules:
    loaded: Modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    return loaded


def _write(path: Path, modules: Modules) -> None:
    path.write_text(json.dumps({"creator": "qnnc", "modules": modules}), encoding="utf-8")
