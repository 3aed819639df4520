# SPDX-License-Identifier: Apache-2.0
"""Whatever path a command writes to: nothing of the user's is replaced, moved or deleted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.networks import MlpSpec, mlp
from tests.support.build import run_main
from tests.support.small import SmallBuild
from tests.test_quantize import normed

Tree = dict[str, tuple[int, bytes | str]]


def tree(folder: Path) -> Tree:
    """Every file, folder and link, with its time and contents."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        what: bytes | str = "folder"
        if path.is_symlink():
            what = os.readlink(path)
        elif path.is_file():
            what = path.read_bytes()
        found[str(path)] = (path.lstat().st_mtime_ns if what != "folder" else 0, what)
    return found


@pytest.fixture
def home(tmp_path: Path, small_build: SmallBuild) -> Path:
    """A user's folder: networks, samples, notes; and a finished build."""
    folder = tmp_path / "home"
    folder.mkdir()
    onnx.save(mlp(MlpSpec((6, 4), 2, 2, "relu", 2)), folder / "m.onnx")
    onnx.save(normed(), folder / "float.onnx")
    np.save(folder / "s.npy", np.zeros((4, 12), np.float32))
    (folder / "top.fasm").write_text("")
    (folder / "notes").mkdir()
    for name in ("sweep.csv", "region.onnx", "study.html", "driver.py", "00-import.onnx"):
        (folder / "notes" / name).write_text("mine")
    (folder / "text").write_text("mine")
    (folder / "link").symlink_to("text")
    (folder / "nowhere").symlink_to("absent")
    (folder / "loop").symlink_to("loop")
    small_build.copy(folder / "build")
    return folder


FOLDERS = ("text", "link", "nowhere", "loop", "notes", "m.onnx", "text/below", ".")
FILES = (*FOLDERS[:-1], "s.npy", "build/report.html")
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "quantize -o": (("quantize", "float.onnx", "--calibrate", "s.npy", "-o"), FILES),
    "opt -o": (("opt", "m.onnx", "-p", "tidy", "-o"), FILES),
    "compare --page": (("compare", "build", "build", "--page"), FILES),
    "fasm2bit --out": (
        ("fasm2bit", "top.fasm", "--part", "xc7z020clg400-1", "--prjxray-db", "notes", "--out"),
        FILES,
    ),
    "shape --out": (("shape", "build", "--out"), FILES),
    "example --out": (("example", "tfc", "--out"), FOLDERS),
    "sweep --out": (("sweep", "m.onnx", "--points", "1", "--out"), FOLDERS),
    "bisect --out": (("bisect", "m.onnx", "--out"), FOLDERS),
    "build --out": (("build", "m.onnx", "--until", "estimate", "--out"), FOLDERS),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_of_the_user_s_is_overwritten(
    name: str, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command may succeed beside what is there; it may not touch it."""
    monkeypatch.chdir(home)
    arguments, places = COMMANDS[name]
    for place in places:
        before = tree(home)
        code, _, errors = run_main(capfd, *arguments, place)
        after = tree(home)
        gone = {path for path, what in before.items() if after.get(path) != what}
        assert not gone, (place, code, errors, gone)
        assert code in (0, 1, 2) and "internal error" not in errors, errors
        assert code != 2 or errors.count("qnnc: ") == 1
        assert not [p for p in after.keys() - before.keys() if ".partial" in p]
