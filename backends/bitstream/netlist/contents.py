# SPDX-License-Identifier: Apache-2.0
"""Contents of memories, as INIT parameters of the cells that hold them.

How words are spread over cells is what `qnnc_rom_columns` and `qnnc_lut_rom` say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.design import BLOCK, Design, Memory
from qnnc.compiler.errors import ToolError

Contents = dict[str, dict[str, str]]
"""Bits of INIT parameters, the highest first, by cell and parameter."""

RAM_WORDS, RAM_PARITY_WORDS = 64, 8
"""INIT_xx and INITP_xx parameters of a RAMB18E1, of 256 bits each (UG473, table 2-3)."""


def memory_contents(design: Design, prefix: str = "") -> Contents:
    """What all memories of an accelerator hold that are not part of its logic.

    Args:
        prefix: path of the accelerator in the netlist, with a dot after it.
    """
    contents: Contents = {}
    for instance in design.instances:
        for memory in instance.rtl.memories.values():
            if not memory.fixed:
                contents.update(_cells(f"{prefix}{instance.name}.", memory))
    return contents


def shell_contents(shell: Shell) -> Contents:
    """The same for a shell with its accelerator: all under the design's top."""
    own = _cells("shell.", shell.build_id_memory)
    return {**own, **memory_contents(shell.design, "shell.accelerator.")}


SMALL = 32
"""Words up to which a table leaves inputs of its LUTs constant. A tool may then merge or drop them,
so that the LUT cannot be recognised afterwards."""


def movable(memory: Memory) -> bool:
    """The memory's contents can be exchanged in a design that is placed and routed."""
    return not memory.fixed and (memory.style == BLOCK or len(memory.words) > SMALL)


def movable_cells(shell: Shell) -> set[str]:
    """Cells of a shell's memories whose contents can be exchanged."""
    found = set(_cells("shell.", shell.build_id_memory))
    for instance in shell.design.instances:
        for memory in instance.rtl.memories.values():
            if movable(memory):
                found |= set(_cells(f"shell.accelerator.{instance.name}.", memory))
    return found


def _cells(prefix: str, memory: Memory) -> Contents:
    path = f"{prefix}{memory.path}.memory."
    if memory.style == BLOCK:
        return _block_cells(f"{path}block.columns.", memory)
    return _lut_cells(f"{path}luts.", memory)


def _lut_cells(path: str, memory: Memory) -> Contents:
    """LUT k of bit i holds that bit of words 64·k to 64·k + 63."""
    contents: Contents = {}
    for bit in range(memory.width):
        for lut in range(-(-len(memory.words) // 64)):
            words = memory.words[64 * lut : 64 * lut + 64]
            text = _text((word >> bit & 1 for word in words), 64)
            contents[f"{path}bits[{bit}].rom.lut[{lut}].lut6"] = {"INIT": text}
    return contents


def column_width(depth: int) -> int:
    """Bits of a word in one RAMB18E1, as `qnnc_rom_columns` chooses them."""
    for limit, width in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2)):
        if depth <= limit:
            return width
    return 1


def _block_cells(path: str, memory: Memory) -> Contents:
    width = column_width(len(memory.words))
    contents: Contents = {}
    for column in range(-(-memory.width // width)):
        mask = (1 << width) - 1
        words = [word >> column * width & mask for word in memory.words]
        contents[f"{path}column[{column}].ram.ram"] = _ram(words, width)
    return contents


def _ram(words: Sequence[int], width: int) -> dict[str, str]:
    """INIT parameters of a RAMB18E1 with words of `width` bits."""
    if width == 36:  # two ports of 18 bits: the upper halves lie 512 words further on
        words = [*_padded(words, 512), *(word >> 18 for word in words)]
        words, width = [word & 0x3FFFF for word in words], 18
    data_bits = {18: 16, 9: 8}.get(width, width)
    data, parity = 0, 0
    for index, word in enumerate(words):
        data |= (word & (1 << data_bits) - 1) << index * data_bits
        if data_bits != width:
            parity |= word >> data_bits << index * (width - data_bits)
    result = {}
    for name, value, count in (("INIT", data, RAM_WORDS), ("INITP", parity, RAM_PARITY_WORDS)):
        text = f"{value:0{256 * count}b}"
        for index in range(count):
            end = len(text) - 256 * index
            result[f"{name}_{index:02X}"] = text[end - 256 : end]
    return result


def _padded(words: Sequence[int], count: int) -> list[int]:
    return [*words, *(count - len(words)) * [0]]


def _text(bits: Iterable[int], width: int) -> str:
    """Bits, the first lowest, as text with the highest first."""
    return "".join(str(bit) for bit in bits)[::-1].rjust(width, "0")


def patch(netlist: Mapping[str, Any], top: str, contents: Contents) -> None:
    """Put contents into the cells of a flat netlist, in place.

    Raises:
        ToolError: a cell is missing, or one that should have contents got none.
    """
    cells = netlist["modules"][top]["cells"]
    for name, parameters in contents.items():
        if name not in cells:
            raise ToolError(f"the netlist has no cell {name!r} to hold contents")
        cells[name]["parameters"].update(parameters)
    for name, cell in cells.items():
        holder = cell["type"] == "RAMB18E1" and name.endswith(".ram.ram")
        if (holder or name.endswith(".lut6")) and name not in contents:
            raise ToolError(f"cell {name!r} of the netlist has no contents")
