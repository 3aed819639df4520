# SPDX-License-Identifier: Apache-2.0
"""Docstrings of the package say what `tests.docstrings` asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docstrings import errors, faults, methods

FOLDERS = ("cli", "compiler", "nodes", "backends", "frontends", "quantization", "explore")
FILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "bitstream/package" not in path.as_posix()  # shipped to boards as it is
]


def test_public_docstrings_are_there_and_name_errors_and_shapes() -> None:
    family, declared = errors(ROOT), methods(FILES)
    found = [fault for path in FILES for fault in faults(path, family, declared)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def load() -> int:\n    return 1\n", "has no docstring"),
        ('def load() -> int:\n    """Load."""\n    raise ModelError("no")\n', "raises ModelError"),
        ('def load(x: NDArray[int]) -> int:\n    """Load."""\n    return 1\n', "says no shape"),
        ('class A:\n    """A."""\n\n    def load(self) -> int:\n        ...\n', "no docstring"),
    ],
)
def test_what_is_missing_is_found(text: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.py"
    file.write_text(f'"""A module."""\n\n{text}')
    (found,) = faults(file, {"ModelError"}, {})
    assert fault in found
