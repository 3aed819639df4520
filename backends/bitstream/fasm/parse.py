# SPDX-License-Identifier: Apache-2.0
"""Reading FASM: one feature per line, by the FASM specification's grammar.

A line is `feature`, `feature[5]`, `feature[63:0] = 64'b0110…` or any of these with a value;
`#` starts a comment, braces enclose annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from qnnc.compiler.errors import WorkspaceError, quote

_LINE = re.compile(
    r"""\s*(?P<feature>[A-Za-z_]\w*(?:\.[A-Za-z_0-9]\w*)*)
        (?:\[(?P<high>\d+)(?::(?P<low>\d+))?\])?
        (?:\s*=\s*(?:(?P<width>\d+)?'(?P<base>[bhod])\s*(?P<digits>[0-9A-Fa-f_]+)|(?P<plain>\d+)))?
        \s*(?:\{[^}]*\}\s*)*(?:\#.*)?$""",
    re.VERBOSE,
)
_EMPTY = re.compile(r"\s*(?:\{[^}]*\}\s*)*(?:#.*)?$")
_BASES = {"b": 2, "o": 8, "d": 10, "h": 16}


class Feature(NamedTuple):
    """A feature that a line sets.

    Attributes:
        line: its number, from 1.
        tile: the tile, the name's first part.
        name: the rest of the name.
        low: the lowest address, or None without one.
        width: how many addresses the line covers.
        value: their values, the lowest address in bit 0.
    """

    line: int
    tile: str
    name: str
    low: int | None
    width: int
    value: int


def parse(lines: Iterable[str], where: str) -> Iterator[Feature]:
    """The features of FASM text.

    Args:
        where: name of the file, for errors.

    Raises:
        WorkspaceError: a line is not FASM; it is named.
    """
    for number, text in enumerate(lines, start=1):
        text = text.rstrip("\n")
        plain = text.strip()
        if not plain:
            continue
        # most lines are plain names; the grammar is left to those that are not
        if not any(c in plain for c in "[=#{ ") and "." in plain:
            tile, _, name = plain.partition(".")
            yield Feature(number, tile, name, None, 1, 1)
            continue
        if _EMPTY.match(text):
            continue
        found = _LINE.match(text)
        if found is None or "." not in found["feature"]:
            raise WorkspaceError(f"{where} line {number}: {quote(text)} is not a FASM feature")
        yield _feature(found, number, where)


def _feature(found: re.Match[str], number: int, where: str) -> Feature:
    high = None if found["high"] is None else int(found["high"])
    low = high if found["low"] is None else int(found["low"])
    if high is not None and low is not None and low > high:
        raise WorkspaceError(f"{where} line {number}: range [{high}:{low}] is upside down")
    width = 1 if high is None or low is None else high - low + 1
    if width > 4096:
        raise WorkspaceError(f"{where} line {number}: a range of {width} bits is too wide")
    value = 1
    if found["plain"] is not None:
        value = int(found["plain"])
    elif found["digits"] is not None:
        base = _BASES[found["base"]]
        try:
            value = int(found["digits"].replace("_", ""), base)
        except ValueError as error:
            raise WorkspaceError(
                f"{where} line {number}: {quote(found['digits'])} is not a number to base {base}"
            ) from error
        if found["width"] is not None and value >> int(found["width"]):
            raise WorkspaceError(
                f"{where} line {number}: the value needs more than the {found['width']} bits it "
                "states"
            )
    if value >> width:
        raise WorkspaceError(f"{where} line {number}: the value needs more than {width} bits")
    tile, _, name = found["feature"].partition(".")
    return Feature(number, tile, name, low, width, value)
