# SPDX-License-Identifier: Apache-2.0
"""What a 7-series device makes of a .bit file: its packets carried out one by one (UG470,
chapter 5). It shares no code with the writer of such files."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import WorkspaceError

Frames = NDArray[np.uint32]

FRAME_WORDS = 101
PADS = 2
"""Frames after each row that the device throws away."""
_SYNC = bytes.fromhex("aa995566")
_CRC, _FAR, _FDRI, _CMD, _IDCODE = 0, 1, 2, 4, 12
_RCRC, _DESYNC = 7, 13
_READ, _WRITE = 1, 2
_POLYNOMIAL = 0x82F63B78


@dataclass
class Loaded:
    """A device after configuration.

    Attributes:
        idcode: that the file was made for, or None if it does not say.
        frames: [n, 101] words, in the order of the addresses asked for.
        checksums: CRC words that the file has, and that were right.
        faults: what a device would refuse, in plain words.
    """

    idcode: int | None = None
    frames: Frames = field(default_factory=lambda: np.zeros((0, FRAME_WORDS), np.uint32))
    checksums: int = 0
    faults: list[str] = field(default_factory=list)


def payload_of(data: bytes) -> bytes:
    """The configuration of a .bit file: its field `e`, or the file itself where it has no header.

    Raises:
        WorkspaceError: it is cut off or has no synchronisation word.
    """
    if _SYNC not in data[:4096]:
        raise WorkspaceError("this is not a .bit file: it has no synchronisation word")
    if data[:2] != b"\x00\x09":
        return data
    try:
        at = 2 + 9 + 2
        while data[at : at + 1] != b"e":
            (size,) = struct.unpack_from(">H", data, at + 1)
            at += 3 + size
        (size,) = struct.unpack_from(">I", data, at + 1)
    except struct.error as error:
        raise WorkspaceError("the .bit file's header is broken") from error
    payload = data[at + 5 : at + 5 + size]
    if len(payload) != size:
        raise WorkspaceError("the .bit file is cut off")
    return payload


def load(payload: bytes, rows: Sequence[int]) -> Loaded:
    """Carry out the packets of a configuration.

    Args:
        rows: frames in each row of each bus, in the order in which they are configured.

    Raises:
        WorkspaceError: it is not a configuration of a whole device with these rows.
    """
    start = payload.find(_SYNC) + len(_SYNC)
    words = np.frombuffer(payload[start : start + (len(payload) - start) // 4 * 4], ">u4")
    device = Loaded()
    data: list[NDArray[np.uint32]] = []
    crc = 0
    for register, block in _writes(words):
        if register == _CRC:
            if int(block[0]) != crc:
                device.faults.append(
                    f"CRC word {int(block[0]):08x} where the packets before give {crc:08x}"
                )
            else:
                device.checksums += 1
            crc = 0
            continue
        crc = _advance(crc, register, block)
        if register == _CMD and int(block[-1]) == _RCRC:
            crc = 0
        elif register == _CMD and int(block[-1]) == _DESYNC:
            break
        elif register == _IDCODE:
            device.idcode = int(block[0])
        elif register == _FAR and data == [] and int(block[0]) != 0:
            device.faults.append(f"frames start at address {int(block[0]):08x}, not at 0")
        elif register == _FDRI and block.size:
            data.append(block.astype(np.uint32))
    device.frames = _frames(np.concatenate(data) if data else np.zeros(0, np.uint32), rows, device)
    return device


def _writes(words: NDArray[np.generic]) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Every write: the register, and its words."""
    at, register = 0, 0
    while at < words.size:
        head = int(words[at])
        at += 1
        kind, operation = head >> 29, head >> 27 & 3
        if kind == 1:
            register, count = head >> 13 & 0x1F, head & 0x7FF
        elif kind == 2:
            count = head & 0x7FFFFFF
        else:
            continue  # padding
        if operation == _WRITE and count:
            if at + count > words.size:
                raise WorkspaceError("the configuration ends in the middle of a packet")
            yield register, words[at : at + count]
        at += count if operation in (_READ, _WRITE) else 0


def _table(bits: int) -> list[int]:
    """What so many low bits of the checksum add to it once they are shifted out."""
    table = []
    for value in range(1 << bits):
        for _ in range(bits):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_BYTE, _REGISTER = _table(8), _table(5)


def _advance(crc: int, register: int, block: NDArray[np.generic]) -> int:
    """CRC-32C over 37 bits per word: 32 of data and then 5 of the register's address, the
    lowest first."""
    for word in block.tolist():
        crc ^= word
        crc = crc >> 8 ^ _BYTE[crc & 255]
        crc = crc >> 8 ^ _BYTE[crc & 255]
        crc = crc >> 8 ^ _BYTE[crc & 255]
        crc = crc >> 8 ^ _BYTE[crc & 255]
        crc ^= register
        crc = crc >> 5 ^ _REGISTER[crc & 31]
    return crc


def _frames(words: NDArray[np.uint32], rows: Sequence[int], device: Loaded) -> Frames:
    expected = (sum(rows) + PADS * len(rows)) * FRAME_WORDS
    if words.size != expected:
        raise WorkspaceError(
            f"the configuration has {words.size} words of frames, this device {expected}"
        )
    every = words.reshape(-1, FRAME_WORDS)
    kept, at = [], 0
    for count in rows:
        kept.append(every[at : at + count])
        if every[at + count : at + count + PADS].any():
            device.faults.append(f"the frames after number {at + count - 1} are not empty")
        at += count + PADS
    return np.concatenate(kept)


def check_codes(frames: Frames) -> list[tuple[int, int | None]]:
    """Frames whose check bits (word 50, bits 12 to 0) do not fit what they hold.

    Returns:
        (frame, bit), where bit is the one, of 3,232, that alone would explain it, if any.
    """
    busy = np.flatnonzero(frames.any(axis=1))
    if busy.size == 0:
        return []
    bits = np.unpackbits(
        frames[busy].astype("<u4").view(np.uint8), axis=1, bitorder="little"
    ).astype(bool)
    codes = _codes()
    found = []
    syndromes = np.bitwise_xor.reduce(np.where(bits, codes, np.uint16(0)), axis=1)
    for row in np.flatnonzero(syndromes):
        single = np.flatnonzero(codes == syndromes[row])
        found.append((int(busy[row]), int(single[0]) if single.size else None))
    return found


def _codes() -> NDArray[np.uint16]:
    """Of every bit of a frame, what it adds to the 13 check bits: a Hamming code of 12 bits over
    positions that count from 0x320 on and skip 0x400 and 0x800, and the parity of the whole."""
    codes = np.zeros(32 * FRAME_WORDS, dtype=np.uint16)
    for bit in range(codes.size):
        word = bit // 32
        if word == 50 and bit % 32 < 13:
            column = 1 << bit % 32
            codes[bit] = column if column == 1 << 12 else column | 1 << 12
            continue
        position = bit + 0x320 + 32 * ((word > 6) + (word > 37))
        codes[bit] = position | 1 << 12
    return codes
