# SPDX-License-Identifier: Apache-2.0
"""The IP as a FuseSoC core (CAPI2), with the testbenches as its targets `sim` and `cocotb`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HEADER = "CAPI=2:\n# SPDX-License-Identifier: Apache-2.0\n"
"""FuseSoC recognises such a file by its first line."""


def core_file(
    top: str,
    sources: Sequence[str],
    memories: Sequence[str],
    testbench: Sequence[str],
    cocotb: Sequence[str] = (),
) -> str:
    """The text of the .core file.

    Args:
        top: module of the accelerator; the testbench's is called the same with `_tb` after it.
        sources: SystemVerilog files; those that end in .svh are included by others.
        memories: files that the accelerator reads with $readmemh, from where it is run.
        testbench: a SystemVerilog file and those that it reads.
        cocotb: a bench for cocotb, a Python file, and those that it reads.
    """
    import yaml

    modules = [name for name in sources if name.endswith(".sv")]
    headers: list[Any] = [
        {name: {"is_include_file": True}} for name in sources if name.endswith(".svh")
    ]
    benches = [name for name in testbench if name.endswith(".sv")]
    data = [name for name in (*memories, *testbench) if not name.endswith((".sv", ".svh"))]
    files = {
        "rtl": {"files": [*headers, *modules], "file_type": "systemVerilogSource"},
        "memories": {"files": [_beside(n) for n in data if n in memories], "file_type": "user"},
        "tb": {"files": benches, "file_type": "systemVerilogSource"},
        "frames": {"files": [_beside(n) for n in data if n in testbench], "file_type": "user"},
        "cocotb": {"files": [_beside(n) for n in cocotb], "file_type": "user"},
    }
    used = {name: found for name, found in files.items() if found["files"]}
    design = [name for name in ("rtl", "memories") if name in used]
    warnings = ["-Wno-fatal", "-Wno-lint"]
    core: dict[str, Any] = {
        "name": f"qnnc::{top}:0",
        "description": "A quantized neural network as a streaming accelerator, made by qnnc",
        "filesets": used,
        "targets": {
            "default": {"filesets": design, "toplevel": top},
            "sim": {
                "description": "Two frames, compared word by word; prints PASSED",
                "filesets": [name for name in used if name != "cocotb"],
                "toplevel": f"{top}_tb",
                "default_tool": "verilator",
                "tools": {
                    "verilator": {
                        "mode": "binary",
                        "verilator_options": ["--timing", *warnings],
                    }
                },
            },
        },
    }
    modules_of_cocotb = [n.rpartition("/")[2][:-3] for n in cocotb if n.endswith(".py")]
    if modules_of_cocotb:
        core["targets"]["cocotb"] = {
            "description": "The same frames as integers, from Python, also with random pauses",
            "filesets": [*design, "cocotb"],
            "toplevel": top,
            "flow": "sim",
            "flow_options": {
                "tool": "verilator",
                "cocotb_module": modules_of_cocotb[0],
                "verilator_options": warnings,
            },
        }
    return HEADER + yaml.safe_dump(core, sort_keys=False, width=100)


def _beside(name: str) -> dict[str, dict[str, str]]:
    """A file that is to lie where the simulation runs."""
    return {name: {"copyto": name.rpartition("/")[2]}}
