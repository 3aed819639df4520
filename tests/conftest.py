# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import setuptools  # noqa: F401  # before pynq takes Python's own distutils, which it cannot share

from tests.support.browser import Browser, program
from tests.support.small import SmallBuild, make_small_build

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


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> SmallBuild:
    """A small network built to the end by the command line; not to be changed."""
    with once(tmp_path_factory, "small") as folder:
        return make_small_build(folder, cache)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, without a page as yet."""
    if program() is None:
        pytest.skip("needs chromium, which is not installed")
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@contextmanager
def once(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder that all test processes share, entered by one at a time."""
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder = shared / f"shared-{name}"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def shared_file(name: str) -> Path:
    """A file that is not part of the project; skips the test if it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not at hand")
    return path
