# SPDX-License-Identifier: Apache-2.0
"""Verilator's lint over SystemVerilog: what to check, with which parameters."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qnnc.backends.bitstream.shell.shell import library as shell_library
from qnnc.backends.rtl.stitch import library
from qnnc.backends.yosys import share_folder

ROOT = Path(__file__).resolve().parents[2]
WAIVERS = ROOT / "backends" / "rtl" / "lint.vlt"
CELLS = (
    "CARRY4", "DSP48E1", "LUT6", "LUT6_2", "MUXF7", "MUXF8", "RAMB18E1", "SRL16E", "SRLC32E",
)  # fmt: skip
"""Xilinx primitives that the library instantiates for synthesis."""
XILINX = ("QNNC_XILINX_DSP", "QNNC_XILINX_LUT", "QNNC_XILINX_MEMORY")
Parameters = Mapping[str, int]

_FIFOS = [{"DEPTH": 2}, {"DEPTH": 17, "WIDTH": 1}, {"DEPTH": 100, "BLOCK": 1}]
_PRODUCTS = [{"A_SIGNED": 0, "B_SIGNED": 0}, {"A_BITS": 9, "B_BITS": 3}]
PARAMETERS: Mapping[str, Sequence[Parameters]] = {
    "qnnc_accumulator": [{"SF": 1}, {"ROWS": 2}, {"ROWS": 2, "SF": 1}, {"BATCH": 3}, {"BATCH": 20}],
    "qnnc_add3": [{"USED": 3}],
    "qnnc_axi_registers": [{"IDS": 1}],
    "qnnc_batch_input": [{"SF": 1, "NF": 1}, {"SF": 3, "NF": 5, "BATCH": 7, "BLOCK": 1}],
    "qnnc_batch_output": [{"NF": 1}, {"NF": 5, "BATCH": 7, "BLOCK": 1}],
    "qnnc_clip": [
        {"LOW": -8, "HIGH": 7, "OUT": 4},
        {"SHIFT": 0, "WIDTH": 5},
        {"EVEN": 1, "LOW": 3, "HIGH": 99},
    ],
    "qnnc_counter": [{"COUNT": 1}, {"COUNT": 2}, {"COUNT": 9}],
    "qnnc_count7": [{"COUNT": 3}],
    "qnnc_credit": [{"COUNT": 2}, {"COUNT": 6}],
    "qnnc_delay": [{"CYCLES": 0}, {"CYCLES": 3, "WIDTH": 5}],
    "qnnc_divide": [{"ROUNDING": 0}, {"ROUNDING": 2, "QUOTIENT": 1}, {"SCALED": 31}],
    "qnnc_dma_read": [{"BYTES": 8, "WIDTH": 64}, {"BYTES": 24, "WIDTH": 180}, {"LOOP": 256}],
    "qnnc_dma_write": [{"BYTES": 8, "WIDTH": 64}, {"BYTES": 24, "WIDTH": 180}],
    "qnnc_dsp": [
        {"ADDEND": 1, "DELAY": 1},
        {"ADDEND": 2, "A_SIGNED": 0},
        {"ADDEND": 3, "REGISTERED": 0},
        {"C_REGISTER": 0},
    ],
    "qnnc_dsp_accumulator": [{"FIELDS": 1, "X_BITS": 20}, {"FIELDS": 3, "SPACING": 11}],
    "qnnc_dsp_affine": [
        {"A_BITS": 20, "B_BITS": 30, "C_BITS": 40, "P_BITS": 50, "BLOCKS": 2},
        {"A_BITS": 20, "B_BITS": 30, "C_BITS": 55, "P_BITS": 60, "BLOCKS": 2, "WIDE": 1},
    ],
    "qnnc_dsp_chain": [
        {"FIELDS": 1, "X_BITS": 20, "OVERLAP": 0},
        {"FIELDS": 3, "SPACING": 9, "OVERLAP": 2, "W_BITS": 2, "WIDTH": 9},
        {"COUNT": 1, "LEVELS": 1},
    ],
    "qnnc_dsp_product": _PRODUCTS,
    "qnnc_dsp_residue": [{"BITS": 2, "COUNT": 3}, {"COUNT": 3, "X_SIGNED": 0, "W_SIGNED": 0}],
    "qnnc_dsp_word": [{"FIELDS": 1}, {"FIELDS": 3, "SPACING": 8}, {"SIGNED": 0}],
    "qnnc_dual_ram": [
        {"BLOCK": 1, "OUTPUT_REGISTER": 1},
        {"BLOCK": 1, "WIDTH": 5, "DEPTH": 2000, "ABITS": 11},
        {"BLOCK": 1, "WIDTH": 7, "DEPTH": 9000, "ABITS": 14},
    ],
    "qnnc_dwc_down": [{"RATIO": 3}, {"RATIO": 7, "WIDTH": 3}],
    "qnnc_dwc_up": [{"RATIO": 3}, {"RATIO": 8, "WIDTH": 1}],
    "qnnc_exceptions": [{"STYLE": 1, "VALUE": 3}],
    "qnnc_fifo": _FIFOS,
    "qnnc_flag_delay": [{"CYCLES": 0}, {"CYCLES": 3}],
    "qnnc_gated_add": [{"COUNT": 5, "BITS": 1}, {"COUNT": 3, "BITS": 4}],
    "qnnc_label_tree": [{"LABELS": 5}, {"SIGNED": 0, "LABELS": 12, "PE": 3}],
    "qnnc_pipeline_control": [{"STAGES": 0}, {"STAGES": 1}],
    "qnnc_label_select": [{"K": 3}, {"SIGNED": 0, "LABELS": 100, "IBITS": 8}, {"LABELS": 1}],
    "qnnc_lut_rom": [{"DEPTH": 65, "ABITS": 7}, {"DEPTH": 700, "ABITS": 10}],
    "qnnc_matrix_buffer": [
        {"STRIDED": 1},
        {"BANKS": 1, "INNER": 1, "OUTER": 1, "REPEAT": 1, "LANES": 1},
        {"BANKS": 3, "INNER": 4, "OUTER": 8, "BITS": 9, "BLOCK": 1, "BANK": 32},
    ],
    "qnnc_matrix_digits": [{"SIGNED": 0, "DIGIT": 8}, {"FIELDS": 1, "DIGIT": 8}, {"FIELDS": 3}],
    "qnnc_output_buffer": [{"DEPTH": 3}],
    "qnnc_output_fifo": [{"DEPTH": 20}],
    "qnnc_pack": [{"BYTES": 4}, {"BYTES": 8, "WIDTH": 60}, {"BYTES": 16, "WIDTH": 100}],
    "qnnc_plane_register": [{"ELEMENTS": 1, "BITS": 40}, {"ELEMENTS": 37}],
    "qnnc_ram": [{"BLOCK": 1}, {"BLOCK": 1, "BANK": 8}],
    "qnnc_ramb18_dual": [{"W": 9}, {"W": 4}, {"W": 1}],
    "qnnc_ramb18_rom": [{"W": 36}, {"W": 9}, {"W": 2}],
    "qnnc_read_arbiter": [{"N": 1}, {"N": 3}],
    "qnnc_replay_buffer": [
        {"NF": 1, "LATENCY": 0},
        {"SF": 1},
        {"SF": 5, "NF": 3, "LATENCY": 3},
    ],
    "qnnc_ring": [{"DEPTH": 1}, {"DEPTH": 5}],
    "qnnc_rom": [{"STYLE": 0}, {"STYLE": 2, "DEPTH": 100, "ABITS": 7}, {"OUTPUT_REGISTER": 1}],
    "qnnc_rom_columns": [{"DEPTH": 512, "ABITS": 9}, {"DEPTH": 3000, "ABITS": 12}],
    "qnnc_shell_control": [{"INPUTS": 3, "OUTPUTS": 2}],
    "qnnc_shift_register": [{"ABITS": 5}],
    "qnnc_sign_product": [{"A_SIGNED": 0}],
    "qnnc_small_product": _PRODUCTS,
    "qnnc_softmax": [
        {"PE": 3, "X_SIGNED": 0, "X_BITS": 8, "DISTANCES": 200},
        {"WORDS": 1, "WAITS": 10, "VECTORS": 12, "X_BITS": 1, "DISTANCES": 2, "BASE": -8},
    ],
    "qnnc_stream_control": [{"BYTES": 24, "WORDS": 100}, {"LOOP": 256, "BYTES": 8}],
    "qnnc_state": [{"STEPS": 1, "WORDS": 1, "DEPTH": 3}, {"STEPS": 5, "WORDS": 8, "DEPTH": 10}],
    "qnnc_strided": [{"COUNT": 7, "LENGTH": 1, "REPEAT": 3}],
    "qnnc_threshold_stage": [{"SIGNED": 0, "DEPTH": 8, "ABITS": 3}],
    "qnnc_transposed": [{"ROWS": 1}, {"READS": 1}, {"ROWS": 5, "COLUMNS": 7, "ABITS": 6}],
    "qnnc_trits": [{"COUNT": 3}, {"COUNT": 13}],
    "qnnc_unpack": [{"BYTES": 4}, {"BYTES": 8, "WIDTH": 60}, {"BYTES": 16, "WIDTH": 100}],
    "qnnc_weight_port": [{"BEATS": 3, "WIDTH": 150}],
    "qnnc_weight_stream": [{"DEPTH": 1}, {"DEPTH": 10, "GROUP": 3}],
    "qnnc_write_arbiter": [{"N": 1}, {"N": 3}],
}
"""Sets of parameters to check a library module with, besides its defaults."""


def cells() -> str:
    """The Xilinx primitives with their ports."""
    text = (share_folder() / "xilinx" / "cells_sim.v").read_text(encoding="utf-8")
    pattern = rf"^module (?:{'|'.join(CELLS)})\b.*?^endmodule"
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    assert len(found) == len(CELLS)
    return "\n".join(found) + "\n"


def modules() -> dict[str, str]:
    """Text of every module of both libraries, by name."""
    texts = {**library(), **shell_library()}
    return {n.removesuffix(".sv"): text for n, text in texts.items() if n.endswith(".sv")}


def macros() -> dict[str, str]:
    """Text of the files that library files include for their assertions, by name."""
    return {name: text for name, text in library().items() if name.endswith(".svh")}


def with_defect(text: str, right: str, wrong: str) -> str:
    """SystemVerilog in which every occurrence of what is right is replaced by what is wrong."""
    assert right in text, right
    return text.replace(right, wrong)


def wrapper(text: str, name: str, parameters: Parameters) -> str:
    """A module `name` around the one in the text, with its ports and other parameters."""
    header = re.search(r"^module (\w+)(.*?^\));$", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    module, ports = header[1], header[2]
    for parameter, value in parameters.items():
        ports, count = re.subn(rf"(\b{parameter} +=) [^,\n]+", rf"\g<1> {value}", ports, count=1)
        assert count == 1, (module, parameter)
    given = ", ".join(f".{p}({p})" for p in re.findall(r"parameter .*?(\w+) +=", ports))
    return f"module {name}{ports};\n  {module} #({given}) dut (.*);\nendmodule\n"


def lint(
    folder: Path, sources: Iterable[Path], defines: Iterable[str] = (), top: str = ""
) -> list[str]:
    """Warnings and errors of `verilator --lint-only -Wall` that nothing waives.

    Args:
        folder: to run in; modules are found in its files by name.
        sources: files to read.
        defines: macros.
        top: module to start from; by default, every one that no other instantiates.
    """
    done = subprocess.run(
        [
            "verilator",
            "--lint-only",
            "-Wall",
            "-Wno-fatal",
            "--assert",
            f"-I{folder}",
            f"-I{WAIVERS.parent / 'library'}",
            *(f"-D{name}" for name in defines),
            *(["--top-module", top] if top else ["-Wno-MULTITOP"]),
            str(WAIVERS),
            *map(str, sources),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("%")]
    assert lines or done.returncode == 0, done.stderr
    return [line for line in lines if "/cells.v:" not in line]
