# SPDX-License-Identifier: Apache-2.0
"""What a new user does first: the tutorial from its first command on, with a wheel that is
installed into a new environment; then the pages that it leaves, in a browser."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from qnnc import __version__
from tests.conftest import ROOT, once
from tests.support.browser import Browser
from tests.support.tutorial import blocks, run_blocks
from tests.test_packaging import tracked

PAGES = ("build/tfc/report.html", "sweep/sweep.html", "compare.html")
WIDTHS = (1920, 1280, 420)


def build_wheel(folder: Path) -> Path:
    """A wheel of the project, made from a copy of it without anything from the network."""
    source = folder / "source"
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path, follow_symlinks=False)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--wheel-dir", folder)
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def followed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The folder of someone who has followed the tutorial, with each block's output checked.

    Only qnnc itself is new in the environment: what it needs is taken from this Python's.
    """
    with once(tmp_path_factory, "tutorial") as folder:
        done = folder / "done"
        if not done.is_file():
            follow(folder, cache)
            done.touch()
    return folder


def follow(folder: Path, cache: Path) -> None:
    """Run the tutorial in a folder."""
    build_wheel(folder)
    programs = folder / "programs"  # a Python in which the packages that qnnc needs are found
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_IGNORE_INSTALLED": "1",
        "QNNC_CACHE": str(cache),
        "HOME": str(folder),
    }
    page = blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    assert len(page) == 9
    where = "python -c 'import qnnc; print(qnnc.__file__)'\n"
    page[0] = type(page[0])(page[0].commands + where, page[0].expected)
    outputs = run_blocks(page, folder, environment)
    assert outputs[0].splitlines()[-1].startswith(str(folder / "qnnc-venv"))
    for block, output in zip(page, outputs, strict=True):
        lines = output.splitlines()
        for line in block.expected:
            assert line in lines, f"{line!r} is not in the output of {block.commands}: {output}"
    assert f"qnnc {__version__}" in outputs[0]
    (refusal,) = (
        text for block, text in zip(page, outputs, strict=True) if "PE=3" in block.commands
    )
    assert "PE of node 'mvau_0' (MVAU) cannot be 3; it can be 1, 2, 4, 8, 16, 32, 64" in refusal


def test_the_tutorial_is_followed_from_a_wheel(followed: Path) -> None:
    for path in (*PAGES, "build/fast/folding.yaml", "build/tfc/ip/qnnc_accelerator.core"):
        assert (followed / path).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_fit_every_window(browser: Browser, followed: Path, page: str) -> None:
    file = followed / page
    for width, dark in itertools.product(WIDTHS, (False, True)):
        browser.complaints.clear()
        browser.open(file.as_uri(), width=width, height=1080, dark=dark)
        assert browser.complaints == []
        sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        needed, given = browser.evaluate(sizes)
        assert needed <= given, f"{page} is {needed} pixels wide in a window of {given}"
        narrow = "[...document.querySelectorAll('section')].map(s => s.clientWidth / innerWidth)"
        assert width > 420 or min(browser.evaluate(narrow)) > 0.8  # one card beside no other
        if folder := os.environ.get("QNNC_SCREENSHOTS"):  # to be looked at
            name = f"{file.stem}-{width}-{'dark' if dark else 'light'}.png"
            browser.screenshot(Path(folder) / name)
    printed = browser.pdf()
    assert printed.startswith(b"%PDF") and browser.complaints == []
    if folder := os.environ.get("QNNC_SCREENSHOTS"):
        (Path(folder) / f"{file.stem}.pdf").write_bytes(printed)
