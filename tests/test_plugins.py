# SPDX-License-Identifier: Apache-2.0
"""Plug-ins as real installed packages: what they add, and what is said when they are wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.build import qnnc
from tests.support.small import write_small

BOARD = """
name = "Acme-7"
part = "xc7z010clg400-1"
clock_mhz = 50
ddr_mbyte_per_s = 1000
description = "half a Pynq"
[resources]
LUT = 17600
FF = 35200
BRAM18 = 120
DSP = 80
"""
BOARD_MODULE = """
from importlib.resources import files
from qnnc.compiler.board import Board
acme = Board.from_toml(files("acme_qnnc") / "board.toml")
"""
FRONTEND_MODULE = """
from pathlib import Path
from qnnc.compiler.frontend import Frontend
from qnnc.frontends.qonnx import QonnxFrontend
class Toy(Frontend):
    name = "toy"
    def accepts(self, source):
        return source.endswith(".toy")
    def load(self, source):
        plain = Path(source).with_suffix(".onnx")
        plain.write_bytes(Path(source).read_bytes().removeprefix(b"toy"))
        return QonnxFrontend().load(str(plain))
"""


def install(
    folder: Path,
    package: str,
    entry_points: str,
    files: Mapping[str, str],
) -> None:
    """What `pip install` leaves of a package: its modules and its metadata."""
    module = folder / package.replace("-", "_")
    module.mkdir(parents=True)
    for name, text in {"__init__.py": "", **files}.items():
        (module / name).parent.mkdir(exist_ok=True)
        (module / name).write_text(text)
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder on the path in which packages are installed."""
    return tmp_path / "site"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return write_small(tmp_path / "in")[0]


def run(site: Path, *arguments: str | Path) -> tuple[int, str, str]:
    done = qnnc(arguments, env={"PYTHONPATH": str(site)})
    return done.returncode, done.stdout, done.stderr


def refused(result: tuple[int, str, str], *names: str) -> None:
    code, _, errors = result
    assert code == 2 and errors.count("\n") == 1, errors
    assert all(name in errors for name in names), errors


def test_a_board_from_a_package(site: Path, model: Path, tmp_path: Path) -> None:
    files = {"board.toml": BOARD, "boards.py": BOARD_MODULE}
    install(site, "acme-qnnc", "[qnnc.boards]\nAcme-7 = acme_qnnc.boards:acme\n", files)
    code, output, _ = run(site, "boards", "--json")
    assert code == 0 and "Acme-7" in {board["name"] for board in json.loads(output)}
    out = tmp_path / "o"
    build = ("build", model, "--board", "Acme-7", "--out", out, "--until", "estimate", "--json")
    code, output, errors = run(site, *build)
    assert code == 0, errors
    report = json.loads(output)
    assert (report["part"], report["clock_mhz"]) == ("xc7z010clg400-1", 50)
    assert report["resources"]["device"]["LUT"] == 17600


def test_a_frontend_from_a_package(site: Path, model: Path, tmp_path: Path) -> None:
    install(
        site,
        "toy-qnnc",
        "[qnnc.frontends]\ntoy = toy_qnnc.frontend:Toy\n",
        {"frontend.py": FRONTEND_MODULE},
    )
    toy = model.with_suffix(".toy")
    toy.write_bytes(b"toy" + model.read_bytes())
    build = ("build", toy, "--out", tmp_path / "o", "--until", "passes")
    assert run(site, *build)[0] == 0
    refused(run(tmp_path / "nothing", *build), "model.toy", "no frontend", "qonnx")


def test_packages_that_clash_are_both_named(site: Path, model: Path, tmp_path: Path) -> None:
    for package in ("first-qnnc", "second-qnnc"):
        name = package.replace("-", "_")
        files = {"board.toml": BOARD, "boards.py": BOARD_MODULE.replace("acme_qnnc", name)}
        install(site, package, f"[qnnc.boards]\nAcme-7 = {name}.boards:acme\n", files)
    refused(run(site, "boards"), "first-qnnc", "second-qnnc", "'Acme-7'", "qnnc.boards")


def test_a_name_of_ours_cannot_be_taken(site: Path, model: Path, tmp_path: Path) -> None:
    install(site, "thief", "[qnnc.nodes]\nMVAU = thief:MVAU\n", {})
    build = ("build", model, "--out", tmp_path / "o", "--until", "passes")
    refused(run(site, *build), "thief", "qnnc", "'MVAU'", "qnnc.nodes")


@pytest.mark.parametrize(
    ("entry", "files", "names"),
    [
        ("Acme-7 = acme_qnnc.absent:acme", {}, ("ModuleNotFoundError",)),
        ("Acme-7 = acme_qnnc.boards:acme", {"boards.py": "1 / 0\n"}, ("ZeroDivisionError",)),
        ("Acme-7 = acme_qnnc.boards:x", {"boards.py": "x = 'Acme'\n"}, ("is not a Board",)),
        (
            "Acme-7 = acme_qnnc.boards:acme",
            {"boards.py": BOARD_MODULE, "board.toml": BOARD.replace("part", "port")},
            ("board.toml", "'part'"),
        ),
        (
            "Acme-7 = acme_qnnc.boards:acme",
            {"boards.py": BOARD_MODULE, "board.toml": BOARD.replace("DSP", "URAM")},
            ("board.toml", "'URAM'"),
        ),
    ],
    ids=["absent", "raises", "of another kind", "lacks a key", "unknown resource"],
)
def test_a_broken_board_is_named(
    entry: str, files: dict[str, str], names: tuple[str, ...], site: Path
) -> None:
    install(site, "acme-qnnc", f"[qnnc.boards]\n{entry}\n", files)
    refused(run(site, "boards"), "'Acme-7'", "acme-qnnc", *names)


def test_broken_packages_harm_nobody_else(site: Path, model: Path, tmp_path: Path) -> None:
    install(
        site,
        "aaa",
        "[qnnc.frontends]\na-first = aaa.absent:Frontend\n[qnnc.boards]\nA = aaa.absent:a\n",
        {},
    )
    build = ("build", "--out", tmp_path / "o", "--until", "passes")
    assert run(site, *build, model)[0] == 0
    refused(run(site, *build, model, "--frontend", "a-first"), "'a-first'", "aaa")
    refused(run(site, *build, "model.strange"), "'a-first'", "aaa")
