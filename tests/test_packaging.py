# SPDX-License-Identifier: Apache-2.0
"""A normal installation: complete, and able to work without the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.small import write_small

FOLDERS = tuple(
    path.name
    for path in (ROOT / "src" / "qnnc").iterdir()
    if path.is_dir() and path.name != "__pycache__"
)
"""Top folders of the project that are parts of the package `qnnc`."""


def tracked() -> list[Path]:
    """Files of the project, as git lists them."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of the project's files")
    return [Path(name) for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed a copy of the project, nothing fetched from anywhere."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path, follow_symlinks=False)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--quiet")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", target, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return target


def test_every_file_is_installed(installed: Path) -> None:
    wanted = {path for path in tracked() if path.parts[0] in FOLDERS}
    package = Path("src/qnnc")
    wanted |= {p.relative_to(package) for p in tracked() if package in p.parents} - set(
        map(Path, FOLDERS)
    )
    assert {path.suffix for path in wanted} >= {".py", ".sv", ".j2", ".toml", ".h", ".typed"}
    found = {p.relative_to(installed / "qnnc") for p in installed.glob("qnnc/**/*") if p.is_file()}
    assert sorted(map(str, wanted - found)) == []
    assert sorted(map(str, found - wanted)) == []


def test_it_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    model, samples, _ = write_small(tmp_path)
    program = "import qnnc.cli.main as m; import sys; print(m.__file__, file=sys.stderr); m.main()"
    arguments = ("build", model, "--out", tmp_path / "o", "--until", "rtl", "--samples", samples)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == str(installed / "qnnc" / "cli" / "main.py")
    assert json.loads(done.stdout)["status"] == "ok"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    source, target = tmp_path_factory.mktemp("sdist"), tmp_path_factory.mktemp("unpacked")
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path, follow_symlinks=False)
    code = "import sys, setuptools.build_meta as b; print(b.build_sdist(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, target],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    archive = target / done.stdout.splitlines()[-1]
    shutil.unpack_archive(archive, target)  # our own, and Python 3.11.2 has no filter
    return target / archive.name.removesuffix(".tar.gz")


def test_the_source_distribution_carries_what_is_tested(unpacked: Path) -> None:
    for folder in ("tests", "examples", "docs", "benchmarks"):
        wanted = {path for path in tracked() if path.parts[0] == folder}
        assert wanted and not [path for path in wanted if not (unpacked / path).is_file()]
    assert (unpacked / "mkdocs.yml").is_file()  # builds docs/ as a site
    paths = os.pathsep.join([str(unpacked / "src"), str(unpacked)])
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-n0",
            "tests/test_layout.py",
        ],
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_checkouts_folder_is_not_a_second_copy(folder: str) -> None:
    """From the root of a checkout `import compiler` would give every class a second time."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and f"import qnnc.{folder}" in done.stderr
