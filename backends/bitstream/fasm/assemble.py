# SPDX-License-Identifier: Apache-2.0
"""From features to frames to a bitstream."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.bitstream.fasm.bitfile import bit_file
from qnnc.backends.bitstream.fasm.database import Bit, Database, Place, Table, Tile
from qnnc.backends.bitstream.fasm.frames import BITS, WORDS, Words, set_check_bits
from qnnc.backends.bitstream.fasm.parse import Feature, parse
from qnnc.backends.bitstream.fasm.stream import configuration
from qnnc.compiler.errors import WorkspaceError, quote
from qnnc.compiler.files import write_bytes

MAX_BYTES = 1 << 30
_WIDE = 16
"""Values of this many bits or more are looked up in a table."""
REQUIRED = 0
"""Line number of features that the part needs and the file does not have."""


class _Bits:
    """Bits collected from features, with the line that each comes from."""

    def __init__(self, database: Database, where: str) -> None:
        self.database, self.where = database, where
        addresses = [address for row in database.rows for address in row]
        self.index = {address: number for number, address in enumerate(addresses)}
        self.positions: list[int] = []
        self.values: list[bool] = []
        self.lines: list[int] = []
        self.wide: list[tuple[int, NDArray[np.int64]]] = []
        self._tiles: dict[str, Tile | None] = {}

    def add(self, feature: Feature) -> None:
        """Collect the bits of a feature; addresses with value 0 set nothing."""
        tile = self._tile(feature)
        name = feature.name
        if "STEPDOWN" in name:
            self._fail(feature, "I/O standards that need STEPDOWN are not supported")
        if name in self.database.segbits(tile.own).without_bits:
            return
        site, dot, rest = name.partition(".")
        if dot and site in tile.sites:
            name = f"{tile.sites[site]}.{rest}"
        segbits = self.database.segbits(tile.kind)
        if feature.width >= _WIDE and self._add_table(feature, tile, segbits.table(name)):
            return
        value, address = feature.value, feature.low
        while value:
            if value & 1:
                found = segbits.find(name, address)
                if found is None:
                    self._fail(feature, f"tile type {tile.own} has no such feature")
                bus, bits = found
                if bus not in tile.places:
                    self._fail(feature, f"the tile has no bits on bus {bus}")
                self._add_bits(feature, tile.places[bus], bits)
            value >>= 1
            if value:
                address = (address or 0) + 1

    def _add_table(self, feature: Feature, tile: Tile, table: Table | None) -> bool:
        """Collect a wide value at once; False if it has to be done bit by bit."""
        low = feature.low or 0
        if table is None or low + feature.width > len(table.bits) or table.bus not in tile.places:
            return False
        place = tile.places[table.bus]
        frame = self.index.get(place.base)
        last = self.index.get(place.base + place.frames - 1)
        if frame is None or last != frame + place.frames - 1:
            return False
        raw = np.frombuffer(feature.value.to_bytes(-(-feature.width // 8), "little"), np.uint8)
        ones = low + np.flatnonzero(np.unpackbits(raw, bitorder="little"))
        position = place.offset + table.bits[ones]
        if np.any(table.columns[ones] >= place.frames) or np.any(position >= BITS):
            return False
        self.wide.append((feature.line, (frame + table.columns[ones]) * BITS + position))
        return True

    def _tile(self, feature: Feature) -> Tile:
        if feature.tile not in self._tiles:
            self._tiles[feature.tile] = self.database.tile(feature.tile)
        tile = self._tiles[feature.tile]
        if tile is None:
            self._fail(feature, f"{self.database.part} has no tile {quote(feature.tile)}")
        return tile

    def _add_bits(self, feature: Feature, place: Place, bits: list[Bit]) -> None:
        for column, bit, is_set in bits:
            frame = self.index.get(place.base + column)
            position = place.offset + bit
            if frame is None or not 0 <= position < BITS:
                self._fail(feature, f"its bit {column}_{bit:02} lies outside of the device")
            self.positions.append(frame * BITS + position)
            self.values.append(is_set)
            self.lines.append(feature.line)

    def _fail(self, feature: Feature, reason: str) -> NoReturn:
        place = (
            f"{self.where} line {feature.line}"
            if feature.line != REQUIRED
            else str(self.database.required)
        )
        raise WorkspaceError(f"{place}: {quote(f'{feature.tile}.{feature.name}')}: {reason}")

    def frames(self) -> Words:
        """All frames of the device [n, 101], in order.

        Raises:
            WorkspaceError: one line sets a bit that another clears.
        """
        wide = [positions for _, positions in self.wide]
        position = np.concatenate([np.array(self.positions, dtype=np.int64), *wide])
        value = np.ones(len(position), dtype=bool)
        value[: len(self.values)] = self.values
        self._check(position, value)
        bits = np.zeros(len(self.index) * BITS, dtype=np.uint8)
        bits[position[value]] = 1
        words: Words = np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)
        return words.reshape(len(self.index), WORDS)

    def _check(self, position: NDArray[np.int64], value: NDArray[np.bool_]) -> None:
        clash = np.intersect1d(position[value], position[~value])
        if clash.size == 0:
            return
        wide = [np.full(len(positions), line) for line, positions in self.wide]
        lines = np.concatenate([np.array(self.lines, dtype=np.int64), *wide])
        here = position == clash[0]
        first, second = int(lines[here & value][0]), int(lines[here & ~value][0])
        number, bit = divmod(int(clash[0]), BITS)
        address = list(self.index)[number]
        raise WorkspaceError(
            f"{self.where}: line {first} sets and line {second} clears bit {bit % 32} of word "
            f"{bit // 32} in frame 0x{address:08x}; the two features exclude each other"
        )


def assemble(lines: Iterable[str], database: Database, where: str = "FASM") -> bytes:
    """The configuration payload of a design: what a .bit file holds after its header.

    Args:
        lines: FASM.
        where: name of the source, for errors.

    Raises:
        WorkspaceError: a line is malformed, names an unknown feature or contradicts another.
    """
    bits = _Bits(database, where)
    for feature in parse(lines, where):
        bits.add(feature)
    if database.required.is_file():
        required = database.required.read_text(encoding="utf-8").splitlines()
        for feature in parse(required, str(database.required)):
            bits.add(feature._replace(line=REQUIRED))
    frames = bits.frames()
    set_check_bits(frames)
    return configuration(frames, [len(row) for row in database.rows], database.idcode)


def assemble_file(source: Path, part: str, root: Path, target: Path) -> str:
    """Assemble a FASM file, xz-compressed or not, into a .bit file.

    Returns:
        The SHA-256 of the payload.

    Raises:
        WorkspaceError: the file or the database is at fault; the line is named.
        OptionError: the database does not have the part.
    """
    import hashlib

    payload = assemble(_read(source), Database(root, part), source.name)
    write_bytes(target, bit_file(payload, source.stem, part, datetime.now(UTC)))
    return hashlib.sha256(payload).hexdigest()


def _read(path: Path) -> Iterable[str]:
    import lzma

    try:
        if path.suffix != ".xz":
            return path.read_text(encoding="utf-8").splitlines()
        with lzma.open(path) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise WorkspaceError(f"{path} is too large")
        return data.decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise WorkspaceError(f"cannot read {path}: {error}") from error
