# SPDX-License-Identifier: Apache-2.0
"""Shapes: routed designs without contents, for other networks of the same shape.

A shape is a zip file with the router's FASM, the places of the memories in it, the netlist, and
`shape.json`, which says what it is of. Its key is a hash over everything that place and route
depends on: sources, tables that are part of the logic, part. Whoever builds a network with the same
key needs no place and route.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnnc.backends.bitstream.netlist.contents import movable
from qnnc.backends.bitstream.shell import Shell
from qnnc.compiler.errors import TargetError, WorkspaceError

FORMAT = 1
ABOUT = "shape.json"
FILES = {
    "design.fasm": "design.fasm.xz",
    "places.json": "places.json",
    "netlist.json": "netlist.json.xz",
}
"""Files of a build's bitstream folder, and what they are called in a shape."""
LARGEST = 1 << 30
"""Bytes that a file of a shape may have when it is unpacked."""


@dataclass(frozen=True)
class Shape:
    """A routed design.

    Attributes:
        key: of its shape.
        part: it is for.
        fmax_mhz: highest clock by the router's timing.
        tool: that routed it.
        texts: the files, by their names in a build.
    """

    key: str
    part: str
    fmax_mhz: float
    tool: str
    texts: dict[str, str]


def shape_key(shell: Shell, part: str) -> str:
    """What two designs have in common if one can be filled in for the other."""
    state = hashlib.sha256(f"shape {FORMAT} {part}\0".encode())
    for name, text in sorted({**shell.design.sources, **shell.top_sources}.items()):
        state.update(f"{name}\0{text}\0".encode())
    for instance in shell.design.instances:
        for name, memory in sorted(instance.rtl.memories.items()):
            size = f"{instance.name}\0{name}\0{memory.width}\0{len(memory.words)}\0"
            state.update(size.encode())
            if not movable(memory):
                state.update(memory.text().encode())
    return state.hexdigest()


def save_shape(shape: Shape, path: Path) -> None:
    """Write a shape.

    Raises:
        WorkspaceError: the file is there already.
    """
    if path.exists():
        raise WorkspaceError(f"{path} is there already; give another --out")
    packed = {
        FILES[name]: lzma.compress(text.encode()) if FILES[name].endswith(".xz") else text.encode()
        for name, text in shape.texts.items()
    }
    about = {
        "format": FORMAT,
        "key": shape.key,
        "part": shape.part,
        "fmax_mhz": shape.fmax_mhz,
        "tool": shape.tool,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()},
    }
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, json.dumps(about, indent=2))
        for name, data in packed.items():
            archive.writestr(name, data)


def load_shape(path: Path) -> Shape:
    """Read a shape, whose checksums must be right.

    Raises:
        WorkspaceError: it is not a shape, is broken, or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about: dict[str, Any] = json.loads(archive.read(ABOUT))
            if about.get("format") != FORMAT:
                raise WorkspaceError(f"{path} is a shape of another version of qnnc")
            texts = {name: _text(archive, there, about) for name, there in FILES.items()}
        return Shape(
            str(about["key"]),
            str(about["part"]),
            float(about["fmax_mhz"]),
            str(about["tool"]),
            texts,
        )
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, lzma.LZMAError) as error:
        raise WorkspaceError(f"{path} is not a shape, or is broken: {error}") from error


def _text(archive: zipfile.ZipFile, name: str, about: dict[str, Any]) -> str:
    if archive.getinfo(name).file_size > LARGEST:
        raise WorkspaceError(f"{name} of the shape is too large")
    data = archive.read(name)
    if hashlib.sha256(data).hexdigest() != about["sha256"][name]:
        raise WorkspaceError(f"{name} of the shape is not what its checksum says")
    if name.endswith(".xz"):
        unpacked = lzma.LZMADecompressor()
        data = unpacked.decompress(data, LARGEST)
        if not unpacked.eof:
            raise WorkspaceError(f"{name} of the shape is too large or cut off")
    return data.decode()


def check_shape(shape: Shape, key: str, part: str, clock_mhz: float, path: Path) -> None:
    """Raise TargetError unless a shape can be filled in for a design."""
    if shape.part != part:
        raise TargetError(f"{path} was routed for {shape.part}, not for {part}")
    if shape.key != key:
        raise TargetError(
            f"{path} is not of this network's shape: topology, types, folding and tables in logic "
            "must be those it was made from; build without --from-shape"
        )
    if shape.fmax_mhz < clock_mhz:
        raise TargetError(
            f"{path} reaches {shape.fmax_mhz:g} MHz, less than the {clock_mhz:.6g} asked for; set "
            "--clock-mhz"
        )
