# SPDX-License-Identifier: Apache-2.0
"""`qnnc deploy` over a real ssh: OpenSSH's own server on this machine stands for the board, whose
Python drives the simulated accelerator with the package that has come over the wire."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from qnnc.backends.bitstream.stages.driver import make_build_shell
from qnnc.backends.rtl.resimulate import remake
from tests.conftest import ROOT
from tests.support.build import run_main
from tests.support.shell import compiled, engines
from tests.support.small import SmallBuild

Capture = pytest.CaptureFixture[str]
SERVER = "/usr/sbin/sshd"
PYTHON_OF_THE_BOARD = """\
import os, platform, runpy, sys
from pathlib import Path
from qnnc.backends.bitstream.simulated.board import SimulatedBoard
from qnnc.backends.bitstream.simulated.platform import SimulatedPlatform

program, rtl, script = sys.argv[1:4]
sys.argv[:] = [script]
sys.path.insert(0, os.getcwd())
platform.machine = lambda: "armv7l"
os.geteuid = lambda: 0
import driver

reached = driver.Accelerator.__init__
with SimulatedBoard(Path(program), Path(rtl)) as board:
    how = {"platform": SimulatedPlatform(board, 100.0), "frames": 16}
    driver.Accelerator.__init__ = lambda accelerator: reached(accelerator, **how)
    runpy.run_path(script, run_name="__main__")
"""


@dataclass(frozen=True)
class Board:
    """A machine that ssh reaches.

    Attributes:
        home: its home folder.
        port: of its ssh server.
    """

    home: Path
    port: int


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def key(path: Path) -> Path:
    command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
    subprocess.run(command, check=True)
    return path


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as open_:
            return open_.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.fixture
def board(
    small_build: SmallBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Board]:
    """sshd on a port of its own, with keys of its own; `ssh` here knows them."""
    if not Path(SERVER).is_file() or shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's server and client (apt install openssh-server)")
    home, tools, theirs = (tmp_path / name for name in ("home", "bin", "board"))
    for folder in (home, tools, theirs):
        folder.mkdir()
    shell = make_build_shell(remake(small_build.out, tmp_path / "remade"))
    simulated = compiled(shell, tmp_path / "sim", small_build.cache, engines()[-1])
    (theirs / "python.py").write_text(PYTHON_OF_THE_BOARD)
    run = f'"{sys.executable}" {theirs}/python.py {simulated} {tmp_path}/sim/rtl "$1"'
    program(theirs / "python3", f'PYTHONPATH="{ROOT / "src"}:{ROOT}" exec {run}')
    program(theirs / "sudo", 'exec "$@"')
    host, user, port = key(tmp_path / "host"), key(tmp_path / "user"), free_port()
    program(
        theirs / "shell", f'cd {home} && PATH={theirs}:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"'
    )
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "HostKey": host,
        "PidFile": "none",
        "AuthorizedKeysFile": f"{user}.pub",
        "StrictModes": "no",  # the folder of a test is nobody's home
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "ForceCommand": theirs / "shell",
    }
    (tmp_path / "sshd").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # where the server gives up its rights
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen([SERVER, "-D", "-e", "-f", tmp_path / "sshd"], stderr=log)
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{port} {Path(f'{host}.pub').read_text()}")
    options = {"IdentityFile": user, "UserKnownHostsFile": known, "BatchMode": "yes"}
    (tmp_path / "ssh").write_text("".join(f"{k} {v}\n" for k, v in options.items()))
    program(tools / "ssh", f'exec {shutil.which("ssh")} -F {tmp_path}/ssh "$@"')
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    try:
        end = time.monotonic() + 30
        while not answers(port):
            assert server.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield Board(home, port)
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def test_a_package_is_validated_over_ssh(
    capfd: Capture, small_build: SmallBuild, board: Board, tmp_path: Path
) -> None:
    out = small_build.copy(tmp_path / "out")
    (out / "package" / "accelerator.bit").write_bytes(b"stands for the simulated board")
    files = ("--samples", small_build.samples, "--labels", small_build.labels)
    command = ("deploy", out, "127.0.0.1", "--port", board.port, *files)
    code, output, errors = run_main(capfd, *command)
    assert code == 0, errors + (tmp_path / "log").read_text()
    golden, speed, latency, labelled = output.splitlines()
    assert golden == "52 of 52 golden samples equal"
    assert "frames/s in the accelerator at 100 MHz" in speed and latency.startswith("latency ")
    assert labelled == f"correct {len(np.load(small_build.labels))} of 40 (100.00 %)"
    for path in (out / "package").iterdir():
        assert (board.home / "qnnc" / path.name).read_bytes() == path.read_bytes()
    # an answer that is another one is noticed there, and here
    golden_file = out / "package" / "golden.npz"
    with np.load(golden_file) as data:
        changed = {name: data[name] for name in data.files}
    changed["output_0"][3] += 1
    np.savez(golden_file, **changed)
    code, output, _ = run_main(capfd, *command[:5])
    assert code == 1 and output.splitlines()[0] == "51 of 52 golden samples equal"


def test_a_board_that_does_not_know_the_key(
    capfd: Capture, small_build: SmallBuild, board: Board, tmp_path: Path
) -> None:
    out = small_build.copy(tmp_path / "out")
    (out / "package" / "accelerator.bit").write_bytes(b"bits")
    for name in ("user", "user.pub"):
        (tmp_path / name).rename(tmp_path / f"old-{name}")
    key(tmp_path / "user")
    shutil.copy(tmp_path / "old-user.pub", tmp_path / "user.pub")
    code, _, errors = run_main(capfd, "deploy", out, "127.0.0.1", "--port", board.port)
    assert code == 2 and "qnnc: ssh did not get through to 127.0.0.1" in errors
    assert list(board.home.iterdir()) == []
