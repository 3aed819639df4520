# SPDX-License-Identifier: Apache-2.0
"""The .bit file: named fields in front of the configuration payload."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

from qnnc.compiler.errors import WorkspaceError

_MAGIC = bytes.fromhex("0009 0ff0 0ff0 0ff0 0ff0 00 0001")


def bit_file(payload: bytes, design: str, part: str, when: datetime) -> bytes:
    """A whole .bit file.

    Args:
        payload: configuration packets.
        design: name of the design.
        part: device, such as "xc7z020clg400-1"; stored without "xc", as Vivado does.
        when: date and time in the header.
    """
    fields = [
        (b"a", f"{design};Generator=qnnc"),
        (b"b", part.removeprefix("xc")),
        (b"c", when.strftime("%Y/%m/%d")),
        (b"d", when.strftime("%H:%M:%S")),
    ]
    header = _MAGIC
    for key, text in fields:
        data = text.encode("ascii", "replace")[:0xFFFE] + b"\0"
        header += key + struct.pack(">H", len(data)) + data
    return header + b"e" + struct.pack(">I", len(payload)) + payload


def read_payload(path: Path) -> bytes:
    """The payload of a .bit file.

    Raises:
        WorkspaceError: it is not a .bit file.
    """
    data = path.read_bytes()
    position = len(_MAGIC)
    if data[:position] != _MAGIC:
        raise WorkspaceError(f"{path} is not a .bit file")
    try:
        while data[position : position + 1] in (b"a", b"b", b"c", b"d"):
            (size,) = struct.unpack_from(">H", data, position + 1)
            position += 3 + size
        (size,) = struct.unpack_from(">I", data, position + 1)
    except struct.error as error:
        raise WorkspaceError(f"{path} is cut off") from error
    payload = data[position + 5 :]
    if data[position : position + 1] != b"e" or len(payload) != size:
        raise WorkspaceError(f"{path} is cut off")
    return payload
