# SPDX-License-Identifier: Apache-2.0
"""A user's files are safe: whose they are, what a killed build leaves, what --force is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.folders import Manifest, claimed, contents, publish, settle
from tests.support.build import run_main
from tests.support.small import SmallBuild, write_small
from tests.test_workspace import files_of

Capture = pytest.CaptureFixture[str]

STEPS = ("replace", "rename", "unlink", "rmdir", "mkdir")
"""Calls of `os` that change what lies where."""
REBUILD = f"""
import os, signal, sys
from pathlib import Path
from qnnc.compiler import folders
from qnnc.compiler.folders import swap
home, new, left = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if sys.argv[4] == "plain":
    def refused(first, second):
        raise OSError("no such call")
    swap.exchange = refused

def counted(real):
    def call(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*arguments, **named)
    return call

for name in {STEPS}:
    setattr(os, name, counted(getattr(os, name)))
swap.exchange = counted(swap.exchange)
with folders.claimed(home, [path.name for path in new.iterdir()]) as staging:
    for path in sorted(new.rglob("*")):
        target = staging / path.relative_to(new)
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    folders.publish(staging, home, print)
"""
"""A build of the files of one folder into another, killed at its n-th change."""

OLD = {"report.json": "old", "model/a.onnx": "old a", "model/b.onnx": "old b", "gone/x": "old x"}
NEW = {"report.json": "new", "model/a.onnx": "new a", "rtl/y.sv": "new y", "gone": "a file now"}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder: Path) -> dict[str, str]:
    hidden = (".lock", "manifest.json", ".swap.json")
    return {
        name: data.decode()
        for name, data in files_of(folder).items()
        if name not in hidden and not name.startswith(".partial-")
    }


def made(home: Path, files: dict[str, str]) -> Path:
    """A folder that qnnc has written."""
    with claimed(home, files) as staging:
        write(staging, files)
        publish(staging, home, print)
    return home


@pytest.mark.parametrize("way", ["exchange", "plain", "foreign", "first"], ids="{}".format)
def test_killed_at_every_step(way: str, tmp_path: Path) -> None:
    """By exchange, the old files or the new ones are there at every moment; else, as soon as
    anybody opens the folder. What is somebody else's never changes."""
    new = write(tmp_path / "new", NEW)
    seen = set()
    for step in range(200):
        home = tmp_path / f"home{step}"
        before = {} if way == "first" else OLD
        if before:
            made(home, before)
        foreign = {"notes.txt": "mine", "model/c.onnx": "mine too"} if way == "foreign" else {}
        write(home, foreign)
        arguments = [str(home), str(new), str(step), way]
        done = subprocess.run([sys.executable, "-c", REBUILD, *arguments], check=False)
        if home.exists():
            if way in ("plain", "foreign"):
                settle(home)
            found = read(home)
            assert found in ({**before, **foreign}, {**NEW, **foreign})
            seen.add(found == {**NEW, **foreign})
        else:
            assert way == "first"
        if done.returncode == 0:
            break
        assert done.returncode == -9
        made(home, NEW)
        assert read(home) == {**NEW, **foreign}
        assert not [p for p in (*home.iterdir(), *tmp_path.iterdir()) if ".partial" in p.name]
        assert not (home / ".swap.json").exists()
    assert done.returncode == 0 and step >= 10 and seen == {True, False}
    assert contents(home).changed == [] and len(contents(home).foreign) == len(foreign)


def test_a_folder_of_somebody_else_that_looks_like_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    model, *_ = write_small(tmp_path)
    out = tmp_path / "project"
    write(
        out,
        {
            "build.json": '{"qnnc": "0.1.0", "options": {}}',
            "model/thesis.tex": "ten years of work",
            "rtl/mine.sv": "module mine; endmodule",
            "report.json": '{"status": "ok"}',
            "package/p": "p",
        },
    )
    before = files_of(out)
    monkeypatch.chdir(out)
    for place in (".", str(out), "../project/", "../project/../project"):
        code, _, errors = run_main(capfd, "build", model, "--out", place, "--until", "passes")
        assert code == 2 and errors.count("\n") == 1 and "--force" in errors
        assert files_of(out) == before and not (out / ".lock").exists()
    code, _, errors = run_main(capfd, "build", model, "--out", ".", "--until", "passes", "--force")
    assert code == 0 and "--force replaces" in errors and "build.json" in errors
    after = files_of(out)
    kept = ("model/thesis.tex", "rtl/mine.sv", "package/p")
    assert all(after[name] == before[name] for name in kept)  # in nobody's way
    assert run_main(capfd, "build", model, "--out", ".", "--until", "passes")[0] == 0
    assert all(files_of(out)[name] == before[name] for name in kept)


def test_changed_files_are_not_overwritten(tmp_path: Path) -> None:
    home = made(tmp_path / "home", OLD)
    (home / "model" / "b.onnx").write_text("edited")
    with pytest.raises(WorkspaceError, match="changed since"), claimed(home, NEW):
        pass
    assert read(home) == {**OLD, "model/b.onnx": "edited"}
    told: list[str] = []
    with claimed(home, NEW, force=True) as staging:
        write(staging, NEW)
        publish(staging, home, told.append, force=True)
    assert read(home) == NEW and str(home / "model" / "b.onnx") in told[0]


def test_a_file_that_comes_in_the_way_meanwhile(tmp_path: Path) -> None:
    home = made(tmp_path / "home", OLD)
    with pytest.raises(WorkspaceError, match="home-new1"), claimed(home, ["rtl"]) as staging:
        write(staging, NEW)
        write(home, {"rtl/y.sv": "mine"})
        publish(staging, home, print)
    assert read(home) == {**OLD, "rtl/y.sv": "mine"}
    assert read(tmp_path / "home-new1") == NEW


def test_a_manifest_is_believed_only_as_written(tmp_path: Path) -> None:
    home = made(tmp_path / "home", OLD)
    good = (home / "manifest.json").read_text()
    outside = write(tmp_path, {"outside": "x"}) / "outside"
    for bad in (
        "",
        "[]",
        "[" * 100_000,
        good.replace("report.json", "notes.txt"),
        good.replace("qnnc manifest 1", "npm"),
    ):
        (home / "manifest.json").write_text(bad)
        assert not contents(home).known
        with pytest.raises(WorkspaceError, match="not qnnc's"), claimed(home, NEW):
            pass
    for name in ("../outside", "/etc/passwd", "model/../../outside"):
        Manifest({name: "0" * 64}).write(home)
        assert Manifest.read(home) is None
    assert outside.read_text() == "x" and read(home) == OLD


def test_an_input_in_the_output_folder(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "out")
    before = files_of(out)
    arguments = ("--out", out, "--until", "passes")
    for wrong in (
        (out / "model" / "golden.onnx",),
        (small_build.model, "--start-from", out / "model" / "dataflow.onnx"),
        (small_build.model, "--samples", out / "model" / ".." / "model" / "golden.onnx"),
    ):
        code, _, errors = run_main(capfd, "build", *wrong, *arguments)
        assert code == 2 and errors.count("\n") == 1 and "would replace" in errors
        assert files_of(out) == before
    own = out / "net.onnx"
    shutil.copy(small_build.model, own)
    assert run_main(capfd, "build", own, *arguments)[0] == 0
    assert own.read_bytes() == small_build.model.read_bytes()
    assert run_main(capfd, "build", own, *arguments, "--save-ir", out / "ir")[0] == 0
    assert run_main(capfd, "build", own, *arguments, "--save-ir", out / "ir")[0] == 0
    assert own.exists() and any((out / "ir").iterdir())


def test_the_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """It stays the same folder, so that a shell that stands there sees the new build."""
    model, *_ = write_small(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    inode = out.stat().st_ino
    for _ in range(2):
        assert run_main(capfd, "build", model, "--out", ".", "--until", "passes")[0] == 0
        assert out.stat().st_ino == inode and Path("report.json").is_file()
    link = tmp_path / "link"
    link.symlink_to(out)
    monkeypatch.chdir(tmp_path)
    assert run_main(capfd, "build", model, "--out", link, "--until", "passes")[0] == 0
    assert link.is_symlink() and (out / "report.json").is_file()
    assert not [p for p in (*out.iterdir(), *tmp_path.iterdir()) if ".partial" in p.name]


def test_leftovers_are_deleted_only_if_qnncs(tmp_path: Path) -> None:
    home = made(tmp_path / "home", OLD)
    mine = write(tmp_path / ".partial-home-mine", {"x": "x"})
    within = write(home / ".partial-notes", {"y": "y"})
    made(home, NEW)
    assert read(mine) == {"x": "x"} and read(within) == {"y": "y"}


def test_files_of_opt_and_save_ir(tmp_path: Path, capfd: Capture) -> None:
    model, *_ = write_small(tmp_path)
    target = tmp_path / "now.onnx"
    for extra in ((), ("--plain",)):
        opt = ("opt", model, "-p", "tidy", "-o", target, *extra)
        for _ in range(2):
            assert run_main(capfd, *opt)[0] == 0
        proto = onnx.load(target)
        proto.doc_string = "edited"
        onnx.save(proto, target)
        edited = target.read_bytes()
        code, _, errors = run_main(capfd, *opt)
        assert code == 2 and errors.count("\n") == 1 and "--force" in errors
        assert target.read_bytes() == edited
        assert run_main(capfd, *opt, "--force")[0] == 0
        assert target.read_bytes() != edited
    for place in (model, tmp_path):
        before = model.read_bytes()
        code, _, errors = run_main(capfd, "opt", model, "-p", "tidy", "-o", place)
        assert code == 2 and errors.count("\n") == 1 and model.read_bytes() == before
    ir = tmp_path / "ir"
    write(ir, {"notes": "mine", "00-import.onnx": "mine"})
    arguments = ("opt", model, "-p", "tidy", "--save-ir", ir)
    code, _, errors = run_main(capfd, *arguments)
    assert code == 2 and "00-import.onnx" in errors
    assert read(ir) == {"notes": "mine", "00-import.onnx": "mine"}
    (ir / "00-import.onnx").unlink()
    for _ in range(2):
        assert run_main(capfd, *arguments)[0] == 0
    assert (ir / "notes").read_text() == "mine"


def test_finns_folder(small_build: SmallBuild, tmp_path: Path, capfd: Capture) -> None:
    out = small_build.copy(tmp_path / "out")
    write(out, {"finn/notes": "mine"})
    code, _, errors = run_main(capfd, "export", out)
    assert code == 2 and "--force" in errors and read(out / "finn") == {"notes": "mine"}
    (out / "finn" / "notes").unlink()
    for _ in range(2):
        assert run_main(capfd, "export", out)[0] == 0
    write(out, {"finn/estimates": "mine"})
    assert run_main(capfd, "export", out)[0] == 0
    assert (out / "finn" / "estimates").read_text() == "mine"
    partition = out / "finn" / "partition.onnx"
    code, _, errors = run_main(capfd, "import-finn", partition, "--out", out)
    assert code == 2 and "would replace" in errors and partition.exists()
    assert run_main(capfd, "build", small_build.model, "--out", out, "--until", "passes")[0] == 0
    assert os.listdir(out / "finn") == ["estimates"]
