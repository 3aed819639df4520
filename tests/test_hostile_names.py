# SPDX-License-Identifier: Apache-2.0
"""Names that are meant to do harm, taken all the way to simulated RTL and a packaged IP."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx
import pytest
from ipyxact.ipyxact import Component

from benchmarks.networks import mlp
from tests.support.build import qnnc
from tests.support.small import SPEC, SmallBuild

NAMES = [
    '"; exec rm -rf ~ ; "',
    "../../x",
    "x" * 10_000,
    "é漢字\u202e\x00\x1b[31m",
    'a\nb\r\n`include "/etc/passwd"',
    "$fatal(1); //",
    "endmodule",
    " ",
    "a#replaced",
    "{{7 * 7}}${HOME}`id`",
    "%s%n",
    "</spirit:name><x>",
    "MVAU",
    "s_axis",
    "/etc/passwd",
    "con",
]


def hostile() -> onnx.ModelProto:
    """The small network with such a name for every node, tensor and input."""
    proto = mlp(SPEC)
    given: dict[str, str] = {}

    def new(old: str) -> str:
        count = len(given)
        text = NAMES[count % len(NAMES)]
        return given.setdefault(old, text if count < len(NAMES) else f"{text}{count}")

    graph = proto.graph
    for node in graph.node:
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
        node.name = new(f"node {node.name}")
    for named in (*graph.initializer, *graph.input, *graph.output):
        named.name = new(named.name)
    graph.name, proto.producer_name = NAMES[0], NAMES[4]
    assert len(given) > 2 * len(NAMES)
    return proto


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, small_build: SmallBuild) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    model = folder / "$(touch pwned) ; é.onnx"
    onnx.save(hostile(), model)
    out = folder / "out"
    done = qnnc(
        [
            *("build", model, "--out", out, "--fps", "1000000", "--top-k", "1"),
            *("--samples", small_build.samples, "--frames", "16", "--engine", "cxxrtl"),
            *("--cache-dir", small_build.cache),
        ],
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.rglob("pwned*"))
    assert done.stdout.replace("\n", "").isprintable()
    return out


def test_the_hardware_is_that_of_harmless_names(built: Path, small_build: SmallBuild) -> None:
    for name in ("rtl", "ip"):
        ours = sorted(p.relative_to(built) for p in (built / name).rglob("*"))
        theirs = sorted(p.relative_to(small_build.out) for p in (small_build.out / name).rglob("*"))
        assert ours == theirs
    for path in (small_build.out / "rtl").iterdir():
        assert (built / "rtl" / path.name).read_bytes() == path.read_bytes()
    hostile_report, report = (
        json.loads((out / "report.json").read_text()) for out in (built, small_build.out)
    )
    assert hostile_report["resources"] == report["resources"]
    assert hostile_report["verification"] == report["verification"]
    assert hostile_report["performance"]["ii_cycles"] == report["performance"]["ii_cycles"]


def test_paths_are_plain(built: Path) -> None:
    for path in built.rglob("*"):
        assert re.fullmatch(r"[\w./-]+", str(path.relative_to(built)), re.ASCII)
        assert path.resolve().is_relative_to(built.resolve())


def test_the_ip_is_still_well_formed(built: Path) -> None:
    component = Component()
    with (built / "ip" / "component.xml").open() as file:
        component.load(file)
    assert component.name == "qnnc_accelerator"
    assert {i.name for i in component.busInterfaces.busInterface} >= {"s_axis", "m_axis"}


def test_the_report_keeps_the_names(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    found = {source for layer in report["layers"] for source in layer["source_nodes"]}
    assert found and found <= {node.name for node in hostile().graph.node}
    assert report["streams"][0]["name"] == "s_axis"


def test_verify_and_simulate_take_them(built: Path, small_build: SmallBuild) -> None:
    done = qnnc(["verify", built, "--samples", small_build.samples, "--labels", small_build.labels])
    assert done.returncode == 0 and "correct 40 of 40" in done.stdout
    done = qnnc(["simulate", built, "--engine", "cxxrtl", "--frames", "4"])
    assert done.returncode == 0 and "differ" not in done.stdout
