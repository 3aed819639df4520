# SPDX-License-Identifier: Apache-2.0
"""The blocks of a page whose commands are to be run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "== end of block"


@dataclass(frozen=True)
class Block:
    """Commands, and lines that their output has to have."""

    commands: str
    expected: tuple[str, ...]


def blocks(page: str) -> list[Block]:
    """All code blocks of a page: shell commands, and text that the commands before it print."""
    found: list[Block] = []
    for kind, text in BLOCK.findall(page):
        if kind == "sh":
            found.append(Block(text, ()))
        else:
            assert kind == "text" and found, f"a block of kind {kind!r}"
            before = found.pop()
            found.append(Block(before.commands, (*before.expected, *text.splitlines())))
    return found


def run_blocks(found: list[Block], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run all blocks in one shell, to the first command that fails; the output of each block."""
    script = "".join(f"{block.commands}\necho '{MARK}'\n" for block in found)
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout.split(f"{MARK}\n")[:-1]
