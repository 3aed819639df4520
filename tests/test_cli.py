# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints, what it returns, and what a build leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from onnx import numpy_helper

from qnnc.compiler.building.stages import all_stages
from tests.support.build import qnnc, run_main, save_samples
from tests.support.small import SAMPLES, SmallBuild

Capture = pytest.CaptureFixture[str]
COMMANDS = ("build", "verify", "simulate", "boards", "doctor", "schema")
RESOURCES = {"LUT", "FF", "BRAM18", "DSP"}


def test_help_names_every_command_and_option(capfd: Capture) -> None:
    code, output, _ = run_main(capfd, "--help")
    assert code == 0
    assert all(re.search(rf"^  {name} ", output, re.MULTILINE) for name in COMMANDS)
    code, output, _ = run_main(capfd, "build", "--help")
    wanted = "board out clock-mhz fps budget until samples labels input-type input-scale top-k"
    assert code == 0 and all(f"--{name}" in output for name in wanted.split())
    for name in COMMANDS:
        assert run_main(capfd, name, "--help")[0] == 0


def test_help_imports_none_of_the_compiler() -> None:
    program = (
        "import sys\n"
        "from qnnc.cli.main import main\n"
        "sys.argv = ['qnnc', 'build', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'scipy', 'pyosys', 'qonnx'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capfd: Capture) -> None:
    code, output, _ = run_main(capfd, "--version")
    assert code == 0 and re.fullmatch(r"qnnc \d+\.\d+\.\d+\S*\n", output)


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("build",), ("build", "x.onnx", "--fps", "fast"), ("boards", "--what")],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], capfd: Capture) -> None:
    code, output, errors = run_main(capfd, *arguments)
    assert code == 2 and output == ""
    assert errors.startswith("qnnc: ") and errors.count("\n") == 1


def test_boards(capfd: Capture) -> None:
    code, output, _ = run_main(capfd, "boards", "--json")
    boards = {board["name"]: board for board in json.loads(output)}
    assert code == 0 and {"Pynq-Z1", "Pynq-Z2"} <= set(boards)
    assert boards["Pynq-Z1"]["part"] == "xc7z020clg400-1"
    zynq_7020 = {"LUT": 53200, "FF": 106400, "BRAM18": 280, "DSP": 220}
    assert boards["Pynq-Z1"]["resources"] == zynq_7020
    code, output, _ = run_main(capfd, "boards")
    assert code == 0 and "Pynq-Z2" in output and "106,400" in output


def test_doctor() -> None:
    done = qnnc(["doctor"])
    assert done.returncode == 0
    assert all(tool in done.stdout for tool in ("onnxruntime", "pyosys", "Verilator", "Vivado"))
    without = qnnc(["doctor"], env={"PATH": "/nowhere"})
    assert without.returncode == 1
    assert re.search(r"C\+\+ compiler.*missing", without.stdout)
    assert "apt install g++" in " ".join(without.stdout.split())
    nothing = qnnc(["doctor"], env={"PATH": "/nowhere", "QNNC_PRJXRAY_DB": ""})
    assert re.search(r"prjxray database.*not found", nothing.stdout)
    there = qnnc(["doctor"], env={"QNNC_PRJXRAY_DB": "/db/[zynq7]"})
    assert "/db/[zynq7]" in there.stdout


def test_the_report_is_what_its_schema_says(small_build: SmallBuild, capfd: Capture) -> None:
    code, output, _ = run_main(capfd, "schema")
    schema = json.loads(output)
    assert code == 0
    Draft202012Validator.check_schema(schema)
    report = json.loads((small_build.out / "report.json").read_text())
    Draft202012Validator(schema).validate(report)
    del report["verification"]
    report["more"] = 1
    problems = {error.validator for error in Draft202012Validator(schema).iter_errors(report)}
    assert problems == {"required", "additionalProperties"}


def test_the_report_says_everything(small_build: SmallBuild) -> None:
    report = json.loads((small_build.out / "report.json").read_text())
    assert report["status"] == "ok" and report["board"] == "Pynq-Z1"
    assert report["part"] == "xc7z020clg400-1" and report["clock_mhz"] == 100
    stages = [stage.name for stage in all_stages() if stage.name != "bitstream"]
    assert [stage["name"] for stage in report["stages"]] == stages
    for stage in report["stages"]:
        assert stage["status"] in ("done", "cached") or stage["name"] == "hls"
        assert "reason" in stage
    assert max(stage["seconds"] for stage in report["stages"]) > 0
    assert all({"name", "seconds", "changed", "verified"} <= set(p) for p in report["passes"])
    assert all(p["verified"] for p in report["passes"][5:] if p["changed"])
    performance = report["performance"]
    assert performance["ii_cycles"] == pytest.approx(performance["ii_cycles_estimate"], rel=0.01)
    assert performance["latency_cycles"] > 0
    assert performance["fps"] == pytest.approx(100e6 / performance["ii_cycles"], abs=0.1)
    assert performance["fps"] >= 1_000_000
    for kind in ("estimate", "synthesis", "budget"):
        assert set(report["resources"][kind]) == RESOURCES
    used = report["resources"]["synthesis"]
    assert 0 < used["LUT"] < report["resources"]["budget"]["LUT"]


def test_the_report_of_verification_and_layers(small_build: SmallBuild) -> None:
    report = json.loads((small_build.out / "report.json").read_text())
    verification = report["verification"]
    corners = verification["corner_samples"]
    assert (verification["samples"], verification["mismatches"]) == (SAMPLES + corners, 0)
    assert corners > 10 and verification["near_ties"] == 0
    levels = {level["level"]: level for level in verification["levels"]}
    assert {name: level["samples"] for name, level in levels.items()} == {
        "dataflow": SAMPLES + corners,
        "emulator": 16,
        "rtl": 16,
    }
    assert (levels["emulator"]["corner_samples"], levels["rtl"]["corner_samples"]) == (5, 5)
    assert all(level["mismatches"] == 0 and level["tensors"] > 0 for level in levels.values())
    layers = report["layers"]
    assert [layer["op"] for layer in layers if layer["op"] == "MVAU"] == ["MVAU"] * 2
    for layer in layers:
        assert {"name", "op", "source_nodes", "PE", "SIMD", "cycles"} <= set(layer)
        assert set(layer["resources"]) == RESOURCES
    product = next(layer for layer in layers if layer["op"] == "MVAU")
    assert "MatMul_y0" in product["source_nodes"]
    assert product["cycles"] == 12 * 6 // (product["PE"] * product["SIMD"])
    artifacts = report["artifacts"]
    assert (small_build.out / artifacts["stitched_ip"] / "component.xml").is_file()
    assert {"driver", "bitstream"} <= set(artifacts)


def test_json_is_the_report_and_nothing_else(small_build: SmallBuild) -> None:
    assert json.loads(small_build.output) == json.loads(
        (small_build.out / "report.json").read_text()
    )
    assert small_build.errors == ""


def test_the_summary(small_build: SmallBuild, tmp_path: Path) -> None:
    done = qnnc(
        [
            *("build", small_build.model, "--out", tmp_path / "o", "--until", "estimate"),
            *("--samples", small_build.samples, "--labels", small_build.labels, "--top-k", "1"),
        ],
        env={"COLUMNS": "80", "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert "Pynq-Z1 (xc7z020clg400-1)" in lines
    assert any(re.search(r"frames/s at 100 MHz: \d+ cycles per frame", line) for line in lines)
    assert any(
        re.fullmatch(
            r"dataflow: 0 mismatches in \d tensors of \d+ samples, \d+ of them corner.*", line
        )
        for line in lines
    )
    rows = lines[lines.index("Pynq-Z1 (xc7z020clg400-1)") + 1 :]
    assert rows[0].split()[4:] == ["memory", "PE", "SIMD", "cycles", "LUT", "BRAM18", "DSP"]
    assert all(len(row) <= 80 + 5 for row in rows[:6])
    assert f"report: {tmp_path / 'o' / 'report.html'}" in lines
    assert lines[-2:] == [
        f"correct {SAMPLES} of {SAMPLES} (100.00 %)",
        f"same as golden {SAMPLES} of {SAMPLES}",
    ]


def test_a_second_build_synthesises_nothing(small_build: SmallBuild, tmp_path: Path) -> None:
    done = qnnc(
        [
            *("build", small_build.model, "--out", tmp_path / "o", "--fps", "1000000"),
            *("--top-k", "1", "--samples", small_build.samples, "--engine", "cxxrtl"),
            *("--frames", "16", "--cache-dir", small_build.cache, "--until", "driver", "--json"),
        ]
    )
    report = json.loads(done.stdout)
    assert {s["name"]: s["status"] for s in report["stages"]}["synthesize"] == "cached"
    first = json.loads((small_build.out / "report.json").read_text())
    for key in ("resources", "verification", "layers", "streams"):
        assert report[key] == first[key]
    left = [sorted(p.relative_to(f) for p in f.rglob("*")) for f in (tmp_path / "o",)]
    assert left == [sorted(p.relative_to(small_build.out) for p in small_build.out.rglob("*"))]
    for path in small_build.out.glob("ip/**/*.*"):
        again = tmp_path / "o" / path.relative_to(small_build.out)
        assert again.read_bytes() == path.read_bytes()


def test_verify(small_build: SmallBuild, tmp_path: Path, capfd: Capture) -> None:
    verify = ("verify", small_build.out, "--samples", small_build.samples)
    code, output, _ = run_main(capfd, *verify, "--labels", small_build.labels)
    assert code == 0
    assert f"correct {SAMPLES} of {SAMPLES}" in output
    assert f"same as golden {SAMPLES} of {SAMPLES}" in output
    labels = np.load(small_build.labels)
    labels[:3] += 1
    wrong = save_samples(tmp_path / "wrong.npy", labels)
    code, output, _ = run_main(capfd, *verify, "--labels", wrong)
    assert code == 0 and f"correct {SAMPLES - 3} of {SAMPLES}" in output
    code, output, _ = run_main(capfd, *verify)
    assert code == 0 and output == f"same as golden {SAMPLES} of {SAMPLES}\n"


def test_verify_finds_what_is_wrong(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "spoilt")
    model = onnx.load(out / "model" / "compiled.onnx")
    weights = next(t for t in model.graph.initializer if list(t.dims) == [6, 4])
    array = numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array(array[:, ::-1].copy(), weights.name))
    onnx.save(model, out / "model" / "compiled.onnx")
    code, output, _ = run_main(capfd, "verify", out, "--samples", small_build.samples)
    found = re.fullmatch(rf"same as golden (\d+) of {SAMPLES}\n", output)
    assert code == 1 and found is not None and int(found[1]) < SAMPLES


def test_simulate_under_back_pressure(small_build: SmallBuild, capfd: Capture) -> None:
    simulate = ("simulate", small_build.out, "--engine", "cxxrtl", "--frames", "8")
    code, output, errors = run_main(capfd, *simulate, "--source", "40", "--sink", "30", "--json")
    assert (code, errors) == (0, "")
    result = json.loads(output)
    assert (result["mismatches"], result["frames"], result["engine"]) == (0, 8, "cxxrtl")
    free = json.loads(run_main(capfd, *simulate, "--json")[1])
    assert free["cycles"] < result["cycles"]
    code, output, _ = run_main(capfd, *simulate, "--samples", small_build.samples)
    assert code == 0 and "8 frames in" in output and output.count("equal") == len(free["streams"])


def test_simulate_finds_what_is_wrong(
    small_build: SmallBuild, tmp_path: Path, capfd: Capture
) -> None:
    out = small_build.copy(tmp_path / "spoilt")
    memory = next((out / "rtl").glob("mvau_0_*.mem"))
    lines = memory.read_text().splitlines()
    memory.write_text("\n".join(reversed(lines)) + "\n")
    code, output, _ = run_main(capfd, "simulate", out, "--engine", "cxxrtl", "--frames", "8")
    assert code == 1 and "differ" in output
    top = out / "rtl" / "qnnc_accelerator.sv"
    top.write_text(top.read_text() + "// more\n")
    code, _, errors = run_main(capfd, "simulate", out, "--engine", "cxxrtl")
    assert code == 2 and "build again" in errors
