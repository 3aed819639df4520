# SPDX-License-Identifier: Apache-2.0
"""Marks: contents that name the cell that holds them.

A design is placed and routed with marks in its memories. In the FASM the marks show where each
cell has gone, and how the router has permuted a LUT's inputs, whatever tool it was. So contents
can be put into the FASM afterwards, and new ones at any time, without the tool's own database.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.bitstream.netlist.contents import Contents
from qnnc.compiler.errors import ToolError

_LUT = re.compile(r"^(\S+LUT\.INIT)\[63:0\]\s*=\s*64'b([01]+)\s*$")
_RAM = re.compile(r"^(\S+\.RAMB18_Y[01])\.(INITP?_[0-9A-F]{2})\[255:0\]\s*=\s*256'b([01]+)\s*$")
FIRST = "INIT_00"
LUT_BITS = 64


def _bits(name: str, width: int) -> str:
    """Pseudo-random bits that depend on a name, as text."""
    data = hashlib.shake_256(name.encode()).digest(width // 8)
    return f"{int.from_bytes(data, 'big'):0{width}b}"


def marks(contents: Contents) -> Contents:
    """Marks for all cells and parameters that have contents."""
    return {
        cell: {name: _mark(f"{cell} {name}", len(text)) for name, text in parameters.items()}
        for cell, parameters in contents.items()
    }


def _mark(name: str, width: int) -> str:
    """A mark; a LUT's is one that no permutation of inputs leaves as it is."""
    for salt in itertools.count():
        text = _bits(f"{name} {salt}", width)
        if width != LUT_BITS:
            return text
        bits = _array(text)
        if (bits[_orders()] == bits).all(axis=1).sum() == 1:
            return text
    raise AssertionError


@dataclass(frozen=True)
class Place:
    """Where a cell's contents are in the FASM.

    Attributes:
        feature: of a LUT with INIT at the end, or of a RAMB18.
        order: of a LUT: for each of the 64 bits in the FASM, lowest first, the bit of the cell's
            INIT; empty for a RAM.
    """

    feature: str
    order: tuple[int, ...] = ()


@lru_cache(maxsize=1)
def _orders() -> NDArray[np.int64]:
    """[720, 64]: for each permutation of a LUT's inputs, where each bit comes from."""
    index = np.arange(64)
    rows = []
    for permutation in itertools.permutations(range(6)):
        moved = np.zeros(64, dtype=np.int64)
        for new, old in enumerate(permutation):
            moved |= (index >> new & 1) << old
        rows.append(moved)
    return np.stack(rows)


@lru_cache(maxsize=1)
def _weight() -> NDArray[np.int64]:
    return np.array([bin(i).count("1") for i in range(64)])


def _array(text: str) -> NDArray[np.uint8]:
    """Bits of a text, lowest first."""
    return np.frombuffer(text[::-1].encode(), np.uint8) - ord("0")


def _invariant(bits: NDArray[np.uint8]) -> tuple[int, ...]:
    """Equal for all permutations of the inputs: ones by the number of inputs that are one."""
    return tuple(np.bincount(_weight(), weights=bits, minlength=7).astype(int))


def find_places(fasm: Iterable[str], marked: Contents) -> dict[str, Place]:
    """Where the cells with marks are.

    Raises:
        ToolError: a mark is not in the FASM, or there twice.
    """
    luts: dict[tuple[int, ...], list[tuple[str, NDArray[np.uint8]]]] = {}
    rams: dict[str, str] = {}
    for line in fasm:
        if ".INIT" not in line:
            continue
        found = _LUT.match(line)
        if found:
            bits = _array(found[2].rjust(64, "0"))
            luts.setdefault(_invariant(bits), []).append((found[1], bits))
            continue
        found = _RAM.match(line)
        if found and found[2] == FIRST:
            rams[found[3].rjust(256, "0")] = found[1]
    places = {}
    for cell, parameters in marked.items():
        if FIRST in parameters:
            if parameters[FIRST] not in rams:
                raise ToolError(f"the FASM has no block RAM for memory cell {cell!r}")
            places[cell] = Place(rams[parameters[FIRST]])
        else:
            places[cell] = _find_lut(cell, _array(parameters["INIT"]), luts)
    features = [place.feature for place in places.values()]
    if len(set(features)) != len(features):
        raise ToolError("two memory cells have one place in the FASM")
    return places


def _find_lut(
    cell: str,
    mark: NDArray[np.uint8],
    luts: Mapping[tuple[int, ...], list[tuple[str, NDArray[np.uint8]]]],
) -> Place:
    candidates = mark[_orders()]
    matches = []
    for feature, bits in luts.get(_invariant(mark), []):
        fitting = np.flatnonzero((candidates == bits).all(axis=1))
        matches += [Place(feature, tuple(_orders()[row].tolist())) for row in fitting]
    if len(matches) != 1:
        count = "no LUT" if not matches else f"{len(matches)} LUTs"
        raise ToolError(f"the FASM has {count} for memory cell {cell!r}")
    return matches[0]


def put_contents(fasm: Iterable[str], places: Mapping[str, Place], contents: Contents) -> list[str]:
    """FASM with contents in the place of marks."""
    luts, rams = {}, {}
    for cell, place in places.items():
        if place.order:
            luts[place.feature] = (place, contents[cell]["INIT"])
        else:
            rams[place.feature] = contents[cell]
    result = []
    for line in fasm:
        text = line.rstrip("\n")
        found = _LUT.match(text) if ".INIT" in text else None
        if found and found[1] in luts:
            place, init = luts[found[1]]
            bits = init[::-1]
            moved = "".join(bits[source] for source in place.order)[::-1]
            text = f"{found[1]}[63:0] = 64'b{moved}"
        elif ".INIT" in text:
            found = _RAM.match(text)
            if found and found[1] in rams:
                text = f"{found[1]}.{found[2]}[255:0] = 256'b{rams[found[1]][found[2]]}"
        result.append(text)
    return result
