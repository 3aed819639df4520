# SPDX-License-Identifier: Apache-2.0
"""Brevitas networks through torch's two exporters: a sample of `benchmarks.exporters`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.exporters import check, networks

SAMPLE = [
    ("chunk", 13, False, False),
    ("pad", 17, False, True),
    ("sized", 20, False, False),
    ("last_step", 18, True, False),
    ("expanded", 23, True, True),
]


@pytest.mark.parametrize(
    ("name", "opset", "dynamo", "qcdq"), sorted(SAMPLE, key=lambda s: not s[2])
)
def test_an_export_is_exact(
    name: str, opset: int, dynamo: bool, qcdq: bool, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("brevitas", reason="brevitas is not installed")
    assert check(networks()[name], opset, dynamo, qcdq, tmp_path) == "exact"
