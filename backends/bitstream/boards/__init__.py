# SPDX-License-Identifier: Apache-2.0
"""Boards that come with qnnc, each a TOML file beside this one.

A plug-in package brings a board by registering a `Board` in the entry-point group `qnnc.boards`.
"""

from __future__ import annotations

from importlib.resources import files

from qnnc.compiler.board import Board

_FILES = {
    file.name.removesuffix(".toml"): file
    for file in files("qnnc.backends.bitstream.boards").iterdir()
    if file.name.endswith(".toml")
}


def __getattr__(name: str) -> Board:
    if name in _FILES:
        return Board.from_toml(_FILES[name])
    raise AttributeError(name)
