# SPDX-License-Identifier: Apache-2.0
"""The Yosys script: what `synth_xilinx -family xc7` does, less what this library never needs.

The differences, with their reasons:

* block RAM, shift registers and DSP blocks are instantiated by the library itself, so that their
  inference, and the reading of the large maps it takes, is left out (inferred block RAM of a FIFO
  is mapped where a design has one);
* LUTs are mapped by ABC for the least levels, and where those allow it for the least LUTs, without
  the boxes of ABC9, which knows delays of cells: after almost every LUT of the datapath stands
  a register, and carry chains are the library's own;
* registers stay registers: no shift registers are extracted from pipelines, since flip-flops are
  plentiful and LUTs are not.
"""

from __future__ import annotations

DEFINES = "-DQNNC_XILINX_MEMORY -DQNNC_XILINX_DSP -DQNNC_XILINX_LUT"

_COARSE = """
proc
flatten
opt_expr
opt_clean
check
opt -nodffe -nosdff
opt
wreduce
peepopt
opt_clean
techmap -map +/cmp2lut.v -map +/cmp2lcu.v -D LUT_WIDTH=6
alumacc
opt
memory -nomap
opt_clean
"""

_LUT_RAM = """
memory_libmap -lib +/xilinx/lutrams_xc5v.txt
techmap -map +/xilinx/lutrams_xc5v_map.v
"""

_BLOCK_RAM = """
memory_libmap -lib +/xilinx/lutrams_xc5v.txt -lib +/xilinx/brams_xc4v.txt -D HAS_SIZE_36 -D IS_XC7
techmap -map +/xilinx/lutrams_xc5v_map.v
techmap -map +/xilinx/brams_xc6v_map.v
"""

_FINE = """
opt -fast -full
memory_map
opt -full
techmap -map +/techmap.v -D LUT_SIZE=6 -map +/xilinx/arith_map.v
opt -fast
techmap -map +/techmap.v -map +/xilinx/cells_map.v
clean
dfflegalize -cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01
opt_merge
techmap -map +/xilinx/ff_map.v
opt_expr -mux_undef -noclkinv
opt_merge
abc -lut 6 -script +strash;dch;if;mfs2
opt_merge
clean
techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6
xilinx_dffopt
opt_lut_ins -tech xilinx
opt_merge
clean
check -noinit
delete t:$scopeinfo
blackbox =A:whitebox
"""


def library_commands() -> list[str]:
    """Read the cells that results are made of, and remember that state."""
    return ["read_verilog -lib +/xilinx/cells_sim.v", "design -save cells"]


def node_commands(sources: list[str], top: str, folder: str, *, block_ram: bool) -> list[str]:
    """Synthesise one module and write `stat.json` and `netlist.json` into its folder.

    Args:
        sources: files, relative to the working directory.
        folder: of the results, relative too.
        block_ram: the module has memory from which block RAM is to be inferred.
    """
    text = _COARSE + (_BLOCK_RAM if block_ram else _LUT_RAM) + _FINE
    return [
        "design -load cells",
        f"read_verilog -defer -sv {DEFINES} {' '.join(sources)}",
        f"hierarchy -check -top {top}",
        *text.split("\n"),
        f"tee -q -o {folder}/stat.json stat -json",
        f"write_json {folder}/netlist.json",
    ]
