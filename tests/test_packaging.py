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

FOLDERS = tuple(path.name for path in (ROOT / "src" / "qnnc").iterdir() if path.is_dir())
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
