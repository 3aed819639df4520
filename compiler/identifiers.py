# SPDX-License-Identifier: Apache-2.0
"""Names from a model, made safe for SystemVerilog, C++, Tcl, XML and file systems."""

from __future__ import annotations

import re

MAX_LENGTH = 40


def identifier(name: str, fallback: str = "x") -> str:
    """Letters, digits and underscores, starting with a letter, at most 40 characters.

    Nothing of the original's quoting, path or control characters survives; two names may give
    the same identifier, so use `Namer` where they must differ.
    """
    safe = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:MAX_LENGTH].strip("_")
    if not safe:
        safe = fallback
    return safe if safe[0].isalpha() else f"{fallback}_{safe}"[:MAX_LENGTH]


class Namer:
    """Gives out identifiers that are unique without regard to case."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unique(self, name: str, fallback: str = "x") -> str:
        """An identifier for `name`, with a number after it if it was taken."""
        base = identifier(name, fallback)
        candidate, number = base, 1
        while candidate.lower() in self._used:
            number += 1
            candidate = f"{base}_{number}"
        self._used.add(candidate.lower())
        return candidate
