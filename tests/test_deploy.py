# SPDX-License-Identifier: Apache-2.0
"""A package onto a board over ssh: a stand-in for ssh runs its commands here, in a folder of its
own, with a self-test that stands in for the accelerator."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.build import run_main
from tests.support.small import SmallBuild

Capture = pytest.CaptureFixture[str]
DRIVER = """\
import numpy
class Accelerator:
    def predict(self, samples):
        return numpy.arange(len(samples)).reshape(-1, 1) % 2
"""
VALIDATE = """\
import sys
def find_pynq():
    pass
if __name__ == "__main__":
    print("64 of 64 golden samples equal", flush=True)
    sys.exit({code})
"""


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a board that ssh reaches; what ssh was called with is in `asked`."""
    home, tools = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    tools.mkdir()
    program(
        tools / "ssh", f'echo "$*" >> {tmp_path}/asked; for c; do :; done; cd {home} && sh -c "$c"'
    )
    program(tools / "sudo", 'exec "$@"')
    program(tools / "python3", f'exec "{sys.executable}" "$@"')  # the board's has NumPy
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return home


@pytest.fixture
def with_bitstream(small_build: SmallBuild, tmp_path: Path) -> Path:
    out = small_build.copy(tmp_path / "out")
    (out / "package" / "accelerator.bit").write_bytes(b"bits")
    (out / "package" / "driver.py").write_text(DRIVER)
    (out / "package" / "validate.py").write_text(VALIDATE.format(code=0))
    return out


def test_a_package_is_copied_and_validated(
    capfd: Capture, with_bitstream: Path, board: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "s.npy", np.zeros((6, 12)))
    np.save(tmp_path / "l.npy", np.array([0, 1, 0, 0, 0, 0]))
    files = ("--samples", tmp_path / "s.npy", "--labels", tmp_path / "l.npy")
    command = ("deploy", with_bitstream, "xilinx@pynq", "--port", "2222", *files)
    code, output, errors = run_main(capfd, *command)
    assert code == 0, errors
    assert output.splitlines() == ["64 of 64 golden samples equal", "correct 4 of 6 (66.67 %)"]
    for path in (with_bitstream / "package").iterdir():
        assert (board / "qnnc" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "asked").read_text().startswith("-p 2222 xilinx@pynq mkdir -p qnnc && ")


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "changed"])
def test_a_file_of_the_user_s_on_the_board_stays(
    capfd: Capture, with_bitstream: Path, board: Path, tmp_path: Path, kind: str
) -> None:
    home = board / "qnnc"
    home.mkdir()
    (home / "notes.txt").write_text("mine")
    (home / "accelerator.bit").write_bytes(b"old")
    command = ("deploy", with_bitstream, "pynq")
    if kind == "changed":
        (home / "accelerator.bit").unlink()
        assert run_main(capfd, *command)[0] == 0
    mine, elsewhere = home / "driver.py", tmp_path / "elsewhere.py"
    mine.unlink(missing_ok=True)
    if kind == "folder":
        (mine / "inside").mkdir(parents=True)
    elif "link" in kind:
        elsewhere.write_text("mine") if kind == "link" else None
        mine.symlink_to(elsewhere)
    else:
        mine.write_text("mine")
    before = {p: (p.lstat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in home.rglob("*")}
    code, output, errors = run_main(capfd, *command)
    assert code == 2 and output == "" and errors.count("\n") == 1
    first = "accelerator.bit" if kind != "changed" else "driver.py"
    assert f"pynq has a file qnnc/{first} that is not qnnc's, or has changed since" in errors
    after = {p: (p.lstat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in home.rglob("*")}
    assert after == before
    code, output, errors = run_main(capfd, *command, "--force")
    if kind == "folder":
        assert code == 2 and (mine / "inside").is_dir()
        return
    assert code == 0, errors
    assert (home / "driver.py").read_text() == DRIVER and not (home / "driver.py").is_symlink()
    assert kind != "link" or elsewhere.read_text() == "mine"
    assert (home / "notes.txt").read_text() == "mine"
    assert run_main(capfd, *command)[0] == 0, "what it has put there it replaces"
    assert not list(home.glob(".qnnc-new"))


def test_a_copy_that_broke_off_is_repeated(
    capfd: Capture, with_bitstream: Path, board: Path, tmp_path: Path
) -> None:
    """After some of the files were in their places, and before any were."""
    command = ("deploy", with_bitstream, "pynq")
    assert run_main(capfd, *command)[0] == 0
    (with_bitstream / "package" / "accelerator.bit").write_bytes(b"new bits")
    (with_bitstream / "package" / "driver.py").write_text(DRIVER + "# new\n")
    for broken in ("mv", "cat", "tar"):
        stops = 'case "$*" in *driver.py*|*deployed*|-xf*) exit 9;; esac; '
        program(tmp_path / "bin" / broken, stops + f'exec /bin/{broken} "$@"')
        code, _, errors = run_main(capfd, *command)
        assert code == 2 and "did not unpack the package" in errors
        (tmp_path / "bin" / broken).unlink()
    assert run_main(capfd, *command)[0] == 0
    assert (board / "qnnc" / "driver.py").read_text().endswith("# new\n")


def test_a_board_that_answers_otherwise(capfd: Capture, with_bitstream: Path, board: Path) -> None:
    (with_bitstream / "package" / "validate.py").write_text(VALIDATE.format(code=1))
    assert run_main(capfd, "deploy", with_bitstream, "pynq")[0] == 1


def test_what_cannot_be_deployed(
    capfd: Capture, small_build: SmallBuild, with_bitstream: Path, board: Path, tmp_path: Path
) -> None:
    program(tmp_path / "bin" / "ssh", "exit 255")
    for arguments, text in (
        ((small_build.out, "pynq"), "has no accelerator.bit"),
        ((tmp_path, "pynq"), "is not a build of qnnc"),
        ((with_bitstream, "--", "-oProxyCommand=touch x"), "a board is user@host"),
        ((with_bitstream, "a b"), "a board is user@host"),
        ((with_bitstream, "pynq", "--folder", "../x"), "--folder is a path below the home"),
        ((with_bitstream, "pynq", "--samples", tmp_path / "s.npy"), "belong together"),
        ((with_bitstream, "pynq"), "ssh did not get through to pynq"),
    ):
        code, _, errors = run_main(capfd, "deploy", *arguments)
        assert code == 2 and errors.count("\n") == 1 and text in errors, errors
    assert list(board.iterdir()) == []
    program(tmp_path / "bin" / "ssh", "exit 2")
    code, _, errors = run_main(capfd, "deploy", with_bitstream, "pynq")
    assert code == 2 and "did not unpack the package (exit code 2); free space" in errors


def test_the_example_is_copied_once(capfd: Capture, tmp_path: Path, example: Path) -> None:
    out = tmp_path / "my tfc"
    code, output, errors = run_main(capfd, "example", "tfc", "--out", out)
    assert code == 0, errors
    for name in ("tfc_w2a2.onnx", "samples.npy", "labels.npy"):
        assert (out / name).read_bytes() == (example / name).read_bytes()
    assert f"qnnc build '{out}'/tfc_w2a2.onnx --board Pynq-Z1" in output
    code, _, errors = run_main(capfd, "example", "tfc", "--out", out)
    assert code == 2 and "is there already" in errors
    code, _, errors = run_main(capfd, "example", "tcf")
    assert code == 2 and "did you mean tfc?" in errors
