# SPDX-License-Identifier: Apache-2.0
"""The examples of CONTRIBUTING.md, written out from the page and run as a package of their own."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from qnnc.nodes.testing import FACETS
from tests.conftest import ROOT
from tests.support.build import qnnc
from tests.support.small import write_small
from tests.test_plugins import install

BLOCK = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> dict[str, str]:
    """Files of the page, by path."""
    return dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package of the examples is installed."""
    folder, files = tmp_path_factory.mktemp("acme") / "site", examples()
    groups = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    own = {n.removeprefix("acme_qnnc/"): t for n, t in files.items() if n.startswith("acme_qnnc/")}
    install(folder, "acme-qnnc", "\n".join(lines) + "\n", own)
    test = folder / "tests" / "test_elementwise_sub.py"
    test.parent.mkdir()
    test.write_text(files["tests/test_elementwise_sub.py"])
    return folder


def test_a_node_is_added_in_as_many_places_as_the_page_says() -> None:
    files = examples()
    named = [path for path, text in files.items() if "ElementwiseSub" in text]
    outside = [p for p in named if not p.startswith(("acme_qnnc/elementwise_sub/", "tests/"))]
    assert outside == ["pyproject.toml"]
    lines = [line for line in files["pyproject.toml"].splitlines() if "elementwise_sub" in line]
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"**{len(lines) + len(outside)} places**" in page


def test_a_node_of_ours_is_a_folder_and_a_line(tmp_path: Path) -> None:
    """The page's node in a copy of the tree: nothing but its folder and its line in the table."""
    shutil.copytree(ROOT / "src" / "qnnc", tmp_path / "src" / "qnnc", symlinks=True)
    linked = {
        Path(os.readlink(p)).name for p in (ROOT / "src" / "qnnc").iterdir() if p.is_symlink()
    }
    for name in linked - {"nodes"}:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(
        ROOT / "nodes", tmp_path / "nodes", ignore=shutil.ignore_patterns("__pycache__")
    )
    folder, page = "acme_qnnc/elementwise_sub/", (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (tmp_path / "nodes" / "elementwise_sub").mkdir()
    for path, text in examples().items():
        if path.startswith(folder):
            text = text.replace("acme_qnnc.", "qnnc.nodes.")
            (tmp_path / "nodes" / "elementwise_sub" / path.removeprefix(folder)).write_text(text)
    line = re.search(r'`("ElementwiseSub": Line\(.*?\),)` in `nodes/table.py`', page)
    assert line is not None
    table = tmp_path / "nodes" / "table.py"
    above = '    "ElementwiseMul": Line("qnnc.nodes.elementwise_mul"),\n'
    assert above in table.read_text()
    table.write_text(table.read_text().replace(above, f"{above}    {line[1]}\n"))
    tests = [ROOT / "tests" / "test_nodes.py", "-k", "ElementwiseSub and not all_cases"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n0",
            "-o",
            f"pythonpath={tmp_path / 'src'}",
            *tests,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "src"), str(ROOT)])},
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(FACETS) + 1} passed" in done.stdout, done.stdout[-3000:]


def test_the_node_passes_at_every_facet(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", site / "tests"],
        capture_output=True,
        text=True,
        check=False,
        cwd=site,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "src")])},
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "1 passed" in done.stdout


def test_pass_frontend_board_and_backend_in_one_build(site: Path, tmp_path: Path) -> None:
    model, samples, _ = write_small(tmp_path)
    packed = tmp_path / "small.onnx.gz"
    packed.write_bytes(gzip.compress(model.read_bytes()))
    done = qnnc(
        ["build", packed, "--out", tmp_path / "o", "--samples", samples, "--board", "My-Board",
         "--passes", "...,infer-shapes,drop-neutral,...", "--until", "checksums", "--json"],
        env={"PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "src")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["board"] == "My-Board"
    assert "drop-neutral" in [run["name"] for run in report["passes"]]
    stages = [stage["name"] for stage in report["stages"]]
    assert stages[-2:] == ["rtl", "checksums"]
    rows = (tmp_path / "o" / "checksums.txt").read_text().splitlines()
    assert rows and all(re.fullmatch(r"[0-9a-f]{64}  \w+", row) for row in rows)


def test_a_backend_that_follows_nothing_is_named(tmp_path: Path) -> None:
    text = examples()["acme_qnnc/checksums.py"].replace('after = "rtl"', 'after = "rt1"')
    install(
        tmp_path / "site",
        "lost-qnnc",
        "[qnnc.backends]\nlost = lost_qnnc.stages:ChecksumBackend\n",
        {"stages.py": text},
    )
    model, _, _ = write_small(tmp_path)
    done = qnnc(
        ["build", model, "--out", tmp_path / "o", "--until", "passes"],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT / "src")])},
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert all(name in done.stderr for name in ("'checksums'", "'lost'", "'rt1'"))
