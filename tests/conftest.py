# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def cache(pytestconfig: pytest.Config) -> Path:
    """Compiled and synthesised parts, kept between test runs; they are named by content."""
    return Path(str(pytestconfig.cache.mkdir("qnnc")))  # type: ignore[union-attr]


@pytest.fixture(scope="session")
def example() -> Path:
    """The example network, with samples and labels beside it."""
    return ROOT / "examples" / "tfc"


def shared_file(name: str) -> Path:
    """A file that is not part of the project; skips the test if it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not at hand")
    return path
