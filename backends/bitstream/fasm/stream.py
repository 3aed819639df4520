# SPDX-License-Identifier: Apache-2.0
"""The configuration payload: packets that write registers and frames (UG470, chapter 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.bitstream.fasm.checksum import checksum
from qnnc.backends.bitstream.fasm.frames import WORDS, Words

_CRC, _FAR, _FDRI, _CMD, _CTL0, _MASK, _COR0, _IDCODE = 0, 0x01, 0x02, 0x04, 0x05, 0x06, 0x09, 0x0C
_COR1, _WBSTAR, _TIMER, _RESERVED, _CTL1 = 0x0E, 0x10, 0x11, 0x13, 0x18
_NULL, _WCFG, _LFRM, _START, _RCRC, _SWITCH, _GRESTORE, _DESYNC = 0, 1, 3, 5, 7, 9, 10, 13

_NOP = 0x20000000
_SYNC = [*8 * [0xFFFFFFFF], 0x000000BB, 0x11220044, 0xFFFFFFFF, 0xFFFFFFFF, 0xAA995566]
"""Padding, bus width detection and the synchronisation word."""
_COR0_VALUE = 1 << 25 | 3 << 12 | 7 << 9 | 7 << 6 | 4 << 3 | 5
"""DONE pipelined and released in phase 4, no wait for DCI or clock managers, outputs enabled in
phase 5, write enable in phase 6."""
_PAD_FRAMES = 2
"""Empty frames after each row."""
_LAST_FAR = 0x03BE0000


def _write(register: int, value: int) -> list[int]:
    """A type-1 packet that writes one word."""
    return [0x30000001 | register << 13, value]


def _command(code: int, nops: int = 0) -> list[int]:
    return [*_write(_CMD, code), *nops * [_NOP]]


def configuration(frames: Words, rows: Sequence[int], idcode: int) -> bytes:
    """The payload that configures a device.

    Args:
        frames: all frames [n, 101], in order.
        rows: frames per row; they add up to n.
        idcode: of the device, which refuses a bitstream for another.
    """
    data = []
    start = 0
    pad = np.zeros((_PAD_FRAMES, WORDS), dtype=np.uint32)
    for count in rows:
        data += [frames[start : start + count], pad]
        start += count
    words = np.concatenate(data).reshape(-1)
    reset = [
        *_SYNC,
        _NOP,
        *_write(_TIMER, 0),
        *_write(_WBSTAR, 0),
        *_command(_NULL, 1),
        *_command(_RCRC, 2),
    ]
    setup = [
        *_write(_RESERVED, 0),
        *_write(_COR0, _COR0_VALUE),
        *_write(_COR1, 0),
        *_write(_IDCODE, idcode),
        *_command(_SWITCH, 1),
        *_write(_MASK, 0x401),
        *_write(_CTL0, 0x501),
        *_write(_MASK, 0),
        *_write(_CTL1, 0),
        *8 * [_NOP],
        *_write(_FAR, 0),
        *_command(_WCFG, 1),
    ]
    data_head = [0x30000000 | _FDRI << 13, 0x50000000 | len(words)]
    startup = [
        *_command(_GRESTORE, 1),
        *_command(_LFRM, 100),
        *_command(_START, 1),
        *_write(_FAR, _LAST_FAR),
        *_write(_MASK, 0x501),
        *_write(_CTL0, 0x501),
    ]
    # a checksum restarts after the reset command, and after each one that was compared
    loaded = checksum([*_writes(setup), (_FDRI, words)])
    after = [
        *_write(_CRC, loaded),
        *2 * [_NOP],
        *startup,
        *_write(_CRC, checksum(_writes(startup))),
        *2 * [_NOP],
        *_command(_DESYNC, 400),
    ]
    parts = (np.array([*reset, *setup, *data_head], np.uint32), words, np.array(after, np.uint32))
    return np.concatenate(parts).astype(">u4").tobytes()


def _writes(packets: Sequence[int]) -> list[tuple[int, NDArray[np.uint32]]]:
    """Registers and words of packets that write one word each."""
    found = []
    words = iter(packets)
    for head in words:
        if head >> 27 == 0b00110 and head & 0x7FF == 1:
            found.append((head >> 13 & 0x1F, np.array([next(words)], np.uint32)))
    return found
