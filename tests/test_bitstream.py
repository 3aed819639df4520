# SPDX-License-Identifier: Apache-2.0
"""From a model to a .bit file and to another model in it, with a stand-in for nextpnr; with the
real one where it is found."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.bitstream.fasm import Database, assemble, read_payload
from qnnc.backends.bitstream.nextpnr import find_nextpnr
from qnnc.backends.bitstream.simulated.run import run_on_board
from qnnc.compiler.errors import ToolError
from tests.conftest import shared_file
from tests.support import fake_nextpnr
from tests.support.build import qnnc
from tests.support.prjxray import make_memory_database

PART = "xc7z020clg400-1"
SPEC = MlpSpec((36, 12, 5), 2, 2, "relu", 2, seed=6)
CLEAN = {"QNNC_PRJXRAY_DB": "", "NEXTPNR_CHIPDB": ""}


class Tools:
    """A nextpnr of our own, its chip database, and a prjxray database."""

    def __init__(self, folder: Path, flavour: str = "nextpnr-himbaechel") -> None:
        self.folder = folder
        self.program = folder / flavour
        self.program.write_text(
            f'#!/bin/sh\nPYTHONPATH= exec {sys.executable} {fake_nextpnr.__file__} {flavour} "$@"\n'
        )
        self.program.chmod(0o755)
        self.chipdb = folder / "chipdb-xc7z020.bin"
        self.chipdb.write_bytes(b"")
        self.database = make_memory_database(folder / "db", PART, 2500, 60)

    def behave(self, **how: object) -> None:
        (self.folder / "fake.json").write_text(json.dumps(how))

    @property
    def options(self) -> list[str | Path]:
        return ["--nextpnr", self.program, "--chipdb", self.chipdb, "--prjxray-db", self.database]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools(tmp_path_factory.mktemp("tools"))


def save(path: Path, *, reverse: bool = False, spec: MlpSpec = SPEC) -> Path:
    """A network; reversed, the first layer's weights are in another order, so that ranges and
    types stay."""
    proto = mlp(spec)
    if reverse:
        for tensor in proto.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.ndim == 2 and spec.widths[0] in array.shape:
                axis = array.shape.index(spec.widths[0])
                changed = numpy_helper.from_array(np.flip(array, axis).copy(), tensor.name)
                tensor.CopyFrom(changed)
                break
        else:
            raise AssertionError("no weights found")
    onnx.save(proto, path)
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tools: Tools, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("bitstream")
    tools.behave()
    done = qnnc(
        ["build", save(folder / "model.onnx"), "--until", "bitstream", "--fps", "500000",
         "--updatable", "--out", folder / "build", "--cache-dir", cache, *tools.options]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "build"


def expected_payload(build: Path, tools: Tools) -> bytes:
    """What placing and routing the final netlist, contents and all, would have given."""
    netlist = json.loads((build / "bitstream" / "netlist.json").read_text())
    lines = fake_nextpnr.fasm_of(netlist["modules"]["qnnc_top"]["cells"])
    return assemble(lines, Database(tools.database, PART))


def test_build_to_bitstream(built: Path, tools: Tools) -> None:
    report = json.loads((built / "report.json").read_text())
    assert report["artifacts"]["bitstream"] == "bitstream/accelerator.bit"
    found = report["implementation"]
    assert (found["flow"], found["fmax_mhz"]) == ("nextpnr", 123.4)
    assert found["utilisation"]["SLICE_LUTX"][0] > 1000
    assert found["memory_mb"] > 1
    payload = read_payload(built / "bitstream" / "accelerator.bit")
    assert hashlib.sha256(payload).hexdigest() == found["payload_sha256"]
    assert payload == expected_payload(built, tools)
    shipped = (built / "package" / "accelerator.bit").read_bytes()
    assert shipped == (built / "bitstream" / "accelerator.bit").read_bytes()
    assert (built / "package.zip").is_file()


def test_update(built: Path, tools: Tools, tmp_path: Path, cache: Path) -> None:
    """The patched FASM gives the bitstream that the new model's own netlist would; the package
    runs the new model."""
    copy = tmp_path / "build"
    shutil.copytree(built, copy)
    old = read_payload(copy / "bitstream" / "accelerator.bit")
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    model = save(tmp_path / "new.onnx", reverse=True)
    done = qnnc(["update", copy, model, "--prjxray-db", tools.database])
    assert done.returncode == 0, done.stderr
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime < 30, "no place and route"
    new = read_payload(copy / "bitstream" / "accelerator.bit")
    assert done.stdout.strip() == hashlib.sha256(new).hexdigest()
    assert new != old
    assert new == expected_payload(copy, tools)
    # the report does not claim a proof of bits that were exchanged
    before, after = (
        json.loads((folder / "report.json").read_text())["implementation"]["proof"]
        for folder in (built, copy)
    )
    assert [check["name"] for check in after] == [check["name"] for check in before] != []
    assert {check["status"] for check in after} == {"not done"}
    # a build from scratch agrees
    fresh = tmp_path / "fresh"
    done = qnnc(
        ["build", model, "--until", "bitstream", "--fps", "500000", "--updatable", "--out", fresh,
         "--cache-dir", cache, "--engine", "cxxrtl", *tools.options]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_payload(fresh / "bitstream" / "accelerator.bit") == new
    result = run_on_board(copy, count=24)
    assert (result.frames, result.mismatches) == (24, 0)
    # and back again
    done = qnnc(["update", copy, built.parent / "model.onnx", "--prjxray-db", tools.database])
    assert done.returncode == 0, done.stderr
    assert read_payload(copy / "bitstream" / "accelerator.bit") == old


def test_a_shape_is_filled_in_without_place_and_route(
    built: Path, tools: Tools, tmp_path: Path, cache: Path
) -> None:
    """Another network of the same shape comes to the bitstream that placing and routing would."""
    tools.behave()
    shape = tmp_path / "shape.zip"
    done = qnnc(["shape", built, "--out", shape])
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 64
    assert qnnc(["shape", built, "--out", shape]).returncode == 2  # nothing is overwritten
    old = tmp_path / "old"
    shutil.copytree(built, old)
    with (old / "shell" / "qnnc_shell.sv").open("a") as file:
        file.write("// as another version made it\n")
    done = qnnc(["shape", old, "--out", tmp_path / "old.zip"])
    assert done.returncode == 2
    assert "is not what this version of qnnc makes" in done.stderr
    model = save(tmp_path / "new.onnx", reverse=True)
    common = ["--until", "bitstream", "--fps", "500000", "--cache-dir", cache, "--prjxray-db",
              tools.database, "--verify", "none"]  # fmt: skip
    done = qnnc(["build", model, *common, "--updatable", "--out", tmp_path / "b",
                 "--from-shape", shape], env={"PATH": os.environ["PATH"]})  # fmt: skip
    assert done.returncode == 0, done.stderr
    payload = read_payload(tmp_path / "b" / "bitstream" / "accelerator.bit")
    assert payload == expected_payload(tmp_path / "b", tools)
    assert payload != read_payload(built / "bitstream" / "accelerator.bit")
    report = json.loads((tmp_path / "b" / "report.json").read_text())["implementation"]
    assert (report["fmax_mhz"], report["seconds"]) == (123.4, 0)
    with zipfile.ZipFile(shape) as archive, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in archive.namelist():
            bad.writestr(name, archive.read(name) + (b" " if name == "places.json" else b""))
    for options, file, message in (
        ([], shape, "is not of this network's shape"),  # thresholds in logic
        (["--updatable", "--clock-mhz", "125"], shape, "reaches 123.4 MHz, less than the 125"),
        (["--updatable"], tmp_path / "bad.zip", "is not what its checksum says"),
        (["--updatable"], model, "is not a shape, or is broken"),
    ):
        done = qnnc(["build", model, *common, *options, "--out", tmp_path / "c", "--force",
                     "--from-shape", file])  # fmt: skip
        assert done.returncode == 2
        assert message in done.stderr.strip().splitlines()[-1]


def test_update_refuses_another_network(built: Path, tools: Tools, tmp_path: Path) -> None:
    copy = tmp_path / "build"
    shutil.copytree(built, copy)
    for spec, message in (
        (MlpSpec((36, 12, 12, 5), 2, 2, "relu", 2, seed=6), "build it again"),
        (MlpSpec((36, 12, 5), 2, 3, "relu", 2, seed=6), "build it again"),
    ):
        other = save(tmp_path / "other.onnx", spec=spec)
        done = qnnc(["update", copy, other, "--prjxray-db", tools.database])
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert (copy / "report.json").read_bytes() == (built / "report.json").read_bytes()


def test_update_needs_a_bitstream(tmp_path: Path) -> None:
    done = qnnc(["update", tmp_path, save(tmp_path / "m.onnx")])
    assert done.returncode == 2
    assert "has no bitstream made by nextpnr" in done.stderr


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"fmax": 71.2}, "reaches 71.2 MHz of the 100 asked for; set --clock-mhz 66.6667, or"),
        ({"error": "Unable to place cell 'x', no BELs remaining"}, "cannot place the design"),
        ({"error": "failed to route net"}, "cannot route the design"),
        ({"stuck": True}, "3 wires are still taken twice after 120 rounds; set a smaller --budget"),
        ({"error": "chip database version mismatch"}, "does not take the chip database"),
        ({"error": "something else"}, "nextpnr-himbaechel failed: something else"),
        ({"feature": "LUT_X0Y0.SLICEL_X0.NEWMUX.A"}, "has no such feature; give the prjxray"),
    ],
)
def test_what_goes_wrong_is_said(
    tools: Tools, tmp_path: Path, cache: Path, how: dict, message: str
) -> None:
    tools.behave(**how)
    done = qnnc(
        ["build", save(tmp_path / "model.onnx"), "--until", "bitstream", "--fps", "500000",
         "--updatable", "--out", tmp_path / "build", "--cache-dir", cache, *tools.options]
    )  # fmt: skip
    tools.behave()
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("qnnc: ")
    assert message in last
    report = json.loads((tmp_path / "build" / "report.json").read_text())
    assert report["status"] == "failed"
    assert not (tmp_path / "build" / "package.zip").exists()


def test_the_other_nextpnr(tmp_path: Path, cache: Path) -> None:
    """nextpnr-xilinx has other options and no report but its log."""
    tools = Tools(tmp_path, "nextpnr-xilinx")
    tools.behave(fmax=111.25)
    out = tmp_path / "build"
    done = qnnc(
        ["build", save(tmp_path / "model.onnx"), "--until", "bitstream", "--fps", "500000",
         "--updatable", "--out", out, "--cache-dir", cache, *tools.options]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "report.json").read_text())["implementation"]
    assert "nextpnr-xilinx" in found["tool"]
    assert found["fmax_mhz"] == 111.25
    assert list(found["utilisation"]) == ["SLICE_LUTX"]
    assert read_payload(out / "bitstream" / "accelerator.bit") == expected_payload(out, tools)


def test_without_tools(tmp_path: Path, cache: Path) -> None:
    """As far as possible, with one line for the rest; asked for by name, an error."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("g++", "gcc", "as", "ld", "ar", "sh", "make", "perl", "cc", "c++", "ccache"):
        found = shutil.which(name)
        if found:
            (path / name).symlink_to(found)
    model = save(tmp_path / "model.onnx")
    common = ["build", model, "--fps", "500000", "--cache-dir", cache, "--engine", "cxxrtl"]
    env = {"PATH": str(path), **CLEAN}
    done = qnnc([*common, "--out", tmp_path / "a"], env=env)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    last = report["stages"][-1]
    assert (last["name"], last["status"]) == ("bitstream", "skipped")
    assert "no nextpnr was found" in last["reason"]
    assert report["artifacts"]["driver"] == "package"
    assert "no nextpnr was found" in done.stdout + done.stderr
    done = qnnc([*common, "--out", tmp_path / "b", "--until", "bitstream"], env=env)
    assert done.returncode == 2
    assert "no tool for a bitstream" in done.stderr


def test_finding_nextpnr(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("NEXTPNR_CHIPDB", raising=False)
    assert find_nextpnr(PART) is None
    monkeypatch.setenv("PATH", str(tools.folder))
    found = find_nextpnr(PART)
    assert found is not None
    assert (found.flavour, found.chipdb) == ("nextpnr-himbaechel", tools.chipdb)
    with pytest.raises(ToolError, match="no chip database for xc7z045ffg900-1"):
        find_nextpnr("xc7z045ffg900-1")
    with pytest.raises(ToolError, match="is not a program"):
        find_nextpnr(PART, "nextpnr-absent")


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory, example: Path, cache: Path) -> Path:
    """TFC by the real nextpnr. Takes some minutes."""
    if shutil.which("nextpnr-himbaechel") is None or not os.environ.get("NEXTPNR_CHIPDB"):
        pytest.skip("nextpnr-himbaechel and NEXTPNR_CHIPDB are not there")
    folder = tmp_path_factory.mktemp("routed") / "build"
    done = qnnc(
        ["build", example / "tfc_w2a2.onnx", "--input-type", "uint8", "--input-scale", "1/255",
         "--top-k", "1", "--fps", "100000", "--until", "bitstream", "--out", folder,
         "--cache-dir", cache, "--prjxray-db", shared_file("xc7z020/prjxray-db-zynq7")],
        timeout=7200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_real_tool(routed: Path) -> None:
    """The clock is reached, and every feature resolves."""
    report = json.loads((routed / "report.json").read_text())
    assert report["implementation"]["fmax_mhz"] >= 100
    assert len(read_payload(routed / "bitstream" / "accelerator.bit")) == 4045564


def test_update_equals_the_real_tools_own_result(
    routed: Path, example: Path, tmp_path: Path
) -> None:
    """nextpnr, given the netlist with other weights, comes to the bitstream that `update` made."""
    database = shared_file("xc7z020/prjxray-db-zynq7")
    copy = tmp_path / "build"
    shutil.copytree(routed, copy)
    proto = onnx.load(example / "tfc_w2a2.onnx")
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 2 and array.size > 1:
            changed = numpy_helper.from_array(np.flip(array, 1).copy(), tensor.name)
            tensor.CopyFrom(changed)
    onnx.save(proto, tmp_path / "other.onnx")
    done = qnnc(["update", copy, tmp_path / "other.onnx", "--prjxray-db", database])
    assert done.returncode == 0, done.stderr
    tool = find_nextpnr(PART)
    assert tool is not None
    fasm = tmp_path / "direct.fasm"
    command = tool.arguments(PART, copy / "bitstream" / "netlist.json", fasm, 100.0)
    subprocess.run(command, check=True, capture_output=True, timeout=7200)
    direct = assemble(fasm.read_text().splitlines(), Database(database, PART))
    assert direct == read_payload(copy / "bitstream" / "accelerator.bit")
    assert direct != read_payload(routed / "bitstream" / "accelerator.bit")
