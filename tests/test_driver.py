# SPDX-License-Identifier: Apache-2.0
"""The driver that is shipped: packing, host parts, and whole batches on the simulated board."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.bitstream.fasm.bitfile import bit_file
from qnnc.backends.bitstream.package.pace import pace_of
from qnnc.backends.bitstream.package.package import DRIVER_FILES, Source, write_package
from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.simulated.board import Bus, SimulatedBoard
from qnnc.backends.bitstream.simulated.platform import (
    SimulatedPlatform,
    load_driver,
    pynq_device,
)
from qnnc.backends.bitstream.simulated.run import run_on_board
from qnnc.compiler.board import find_board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.run import run_build
from qnnc.compiler.datatypes import BIPOLAR
from qnnc.compiler.packing import pack_words, unpack_words
from tests.conftest import shared_file
from tests.support.build import qnnc
from tests.support.shell import compiled, engines

PACKAGE = Path(__file__).parent.parent / "backends" / "bitstream" / "package"
BUS = Bus(seed=5, latency=(3, 50), percent=80)
FRAMES = 40


@pytest.fixture(scope="module")
def driver() -> ModuleType:
    return load_driver(PACKAGE)


class Network:
    """A small network with its package and its simulated board."""

    def __init__(self, folder: Path, cache: Path) -> None:
        import onnx

        path = folder / "model.onnx"
        onnx.save(mlp(MlpSpec((40, 16, 6), 2, 3, "relu", 2, seed=4)), path)
        self.build = folder / "build"
        options = BuildOptions(
            str(path), self.build, until="rtl", fps=500_000.0, cache=cache, top_k=1
        )
        run_build(options)
        from qnnc.backends.bitstream.stages.driver import make_build_shell
        from qnnc.backends.rtl.resimulate import remake

        remade = remake(self.build, folder / "remade")
        self.shell: Shell = make_build_shell(remade)
        self.samples = {name: array[:FRAMES] for name, array in remade.inputs.items()}
        self.package = folder / "package"
        self.bit = folder / "fake.bit"
        from datetime import UTC, datetime

        self.bit.write_bytes(
            bit_file(b"\xaa\x99\x55\x66" * 4, "x", "xc7z020clg400-1", datetime.now(UTC))
        )
        board = find_board("Pynq-Z1")
        pace = pace_of(self.shell, remade.layers)
        source = Source(
            self.shell, board, 100.0, pace, self.build / "model", self.samples, self.bit, "test"
        )
        write_package(source, self.package)
        self.program = compiled(self.shell, folder / "sim", cache, engines()[-1])
        self.rtl = folder / "sim" / "rtl"

    def golden(self) -> tuple[np.ndarray, np.ndarray]:
        with np.load(self.package / "golden.npz") as data:
            return data["input_0"], data["output_0"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Network:
    return Network(tmp_path_factory.mktemp("driver"), cache)


@pytest.mark.parametrize("name", DRIVER_FILES)
def test_it_is_python_3_8(name: str) -> None:
    ast.parse((PACKAGE / name).read_text(), feature_version=(3, 8))


TYPES = ["BIPOLAR", "BINARY", "TERNARY", "INT3", "UINT4", "INT5", "UINT8", "INT8", "UINT11",
         "INT16", "INT24", "UINT32"]  # fmt: skip


def stream(kind: str, lanes: int, words: int) -> dict[str, Any]:
    datatype = DataType[kind]
    size = -(-datatype.bitwidth() * lanes // 8)
    return {
        "name": "s", "shape": [1, words * lanes], "bits": datatype.bitwidth(),
        "signed": datatype.min() < 0 and datatype != BIPOLAR, "bipolar": datatype == BIPOLAR,
        "low": int(datatype.min()), "high": int(datatype.max()), "lanes": lanes, "words": words,
        "memory_bytes": 1 << (size - 1).bit_length() if size < 8 else 8 * -(-size // 8),
        "registers": 64,
    }  # fmt: skip


@given(
    kind=st.sampled_from(TYPES),
    lanes=st.integers(1, 40),
    words=st.integers(1, 5),
    frames=st.integers(1, 4),
    seed=st.integers(0, 1000),
    form=st.sampled_from(["float32", "int64", "small"]),
)
@settings(max_examples=200, deadline=None)
def test_packing_equals_the_compilers(
    driver: ModuleType, kind: str, lanes: int, words: int, frames: int, seed: int, form: str
) -> None:
    datatype = DataType[kind]
    layout = driver.Layout(stream(kind, lanes, words))
    rng = np.random.default_rng(seed)
    values = rng.integers(int(datatype.min()), int(datatype.max()), (frames, words * lanes),
                          endpoint=True)  # fmt: skip
    if datatype == BIPOLAR:
        values = np.where(values > 0, 1, -1)
    if form == "float32":
        values &= ~np.int64(0xFF) if datatype.bitwidth() > 24 else ~np.int64(0)
    given_ = values.astype(
        np.min_scalar_type(int(datatype.max()))
        if form == "small" and not datatype.signed()
        else "int64"
        if form == "small"
        else form
    )
    out = np.full(layout.frame_bytes * frames + 8, 0xA5, np.uint8)
    layout.pack(given_, out)
    expected = pack_words(values, datatype, lanes, layout.memory_bytes)
    assert np.array_equal(out[:-8], expected.reshape(-1))
    assert np.all(out[-8:] == 0xA5)
    back = layout.unpack(out, frames)
    assert np.array_equal(back, values)
    assert np.array_equal(back.reshape(-1), unpack_words(expected, datatype, lanes))


def test_packing_refuses_what_does_not_fit(driver: ModuleType) -> None:
    layout = driver.Layout(stream("TERNARY", 4, 2))
    out = np.zeros(layout.frame_bytes, np.uint8)
    for bad in (np.full((1, 8), 2), np.full((1, 8), 0.5), np.full((1, 8), -2.0),
                np.full((1, 8), np.nan)):  # fmt: skip
        with pytest.raises(driver.AcceleratorError):
            layout.pack(bad, out)
    assert not out.any()


@pytest.mark.parametrize(
    ("kind", "lanes"),
    [("UINT8", 1), ("UINT8", 8), ("UINT8", 49), ("INT2", 16), ("TERNARY", 5), ("UINT4", 8),
     ("BIPOLAR", 64), ("INT3", 16)],
)  # fmt: skip
def test_packing_is_quick(driver: ModuleType, kind: str, lanes: int) -> None:
    """At least 100 MB of elements per second, a byte each, by processor time."""
    layout = driver.Layout(stream(kind, lanes, 1024 // lanes))
    low, high = layout.low, layout.high
    kind_of = np.int8 if low < 0 else np.uint8
    shape = (8192, 1024 // lanes * lanes)
    values = np.random.default_rng(0).integers(low, high, shape, kind_of, endpoint=True)
    if kind == "BIPOLAR":
        values = (2 * (values > 0) - 1).astype(np.int8)
    out = np.zeros(layout.frame_bytes * len(values), np.uint8)
    times = []
    for _ in range(3):
        start = time.process_time()
        layout.pack(values, out)
        middle = time.process_time()
        layout.unpack(out, len(values))
        times.append((middle - start, time.process_time() - middle))
    best = np.min(times, axis=0)
    rates = values.nbytes / best / 1e6
    assert rates.min() >= 100, f"{rates} MB/s"


def test_answers_equal_the_golden_graph(network: Network) -> None:
    driver = load_driver(network.package)
    images, labels = network.golden()
    for use_numpy in (False, True):
        with SimulatedBoard(network.program, network.rtl, BUS) as board:
            # buffers of 7 frames: the batch passes in parts, while both buffers are in use
            accelerator = driver.Accelerator(
                str(network.package), SimulatedPlatform(board), frames=7, use_numpy=use_numpy
            )
            assert np.array_equal(accelerator.predict(images), labels)
            assert np.array_equal(accelerator.predict(images[:1]), labels[:1])
            with pytest.raises(driver.AcceleratorError, match="empty"):
                accelerator.predict(images[:0])
            measured = accelerator.throughput()
            assert measured["frames"] == 7
            assert measured["frames_per_second"] == pytest.approx(
                7 * 1e8 / measured["cycles"], rel=1e-9
            )
            assert accelerator.latency(2)["seconds"] > 0


def test_validate_finds_a_wrong_answer(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.syspath_prepend(str(network.package))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules = [name.removesuffix(".py") for name in DRIVER_FILES]
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    driver, validate = importlib.import_module("driver"), importlib.import_module("validate")
    with SimulatedBoard(network.program, network.rtl, BUS) as board:
        accelerator = driver.Accelerator(str(network.package), SimulatedPlatform(board))
        assert validate.validate(accelerator, str(network.package)) == (FRAMES, 0)
        right = accelerator.predict

        def wrong(batch: Any) -> Any:
            answers = right(batch).copy()
            answers[3] += 1
            return answers

        accelerator.predict = wrong
        assert validate.validate(accelerator, str(network.package)) == (FRAMES, 1)
    for name in modules:
        sys.modules.pop(name, None)


def test_drivers_of_two_packages_keep_apart(network: Network, tmp_path: Path) -> None:
    import sys

    other = tmp_path / "other"
    shutil.copytree(network.package, other)
    with (other / "qnnc_streams.py").open("a") as file:
        file.write("\n\nLayout.pack = None\n")
    path = list(sys.path)
    first, second, third = map(load_driver, (network.package, other, network.package))
    assert first.Layout.pack and third.Layout.pack and second.Layout.pack is None
    assert sys.path == path
    assert not [name for name in DRIVER_FILES if name.removesuffix(".py") in sys.modules]
    assert {path.name for path in other.iterdir()} == {
        path.name for path in network.package.iterdir()
    }


def test_the_folder_is_all_that_the_driver_needs(network: Network, tmp_path: Path) -> None:
    """In the flat folder, by a Python that knows nothing of qnnc and does not find it."""
    import sys

    with zipfile.ZipFile(network.package.with_suffix(".zip")) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.modules['qnnc'] = None; import validate, driver; "
        "print(driver.Accelerator.__module__, driver.AcceleratorError.__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path / "accelerator", capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["driver", "qnnc_errors"]


def test_errors_end_in_a_usable_accelerator(network: Network) -> None:
    driver = load_driver(network.package)
    images, labels = network.golden()
    with SimulatedBoard(network.program, network.rtl, BUS) as board:
        accelerator = driver.Accelerator(str(network.package), SimulatedPlatform(board))
        board.fail_read(0)
        with pytest.raises(driver.AcceleratorError, match="memory answered a read"):
            accelerator.predict(images)
        assert np.array_equal(accelerator.predict(images), labels)
        # a run that never ends: nothing answers within the timeout
        accelerator.platform.pause = lambda seconds: None
        accelerator.timeout = 0.0
        accelerator.start(7)
        with pytest.raises(driver.AcceleratorError, match="did not end within 0 s"):
            accelerator.finish()
        del accelerator.platform.pause
        accelerator.timeout = None
        accelerator.reset()
        assert np.array_equal(accelerator.predict(images), labels)


def test_slow_networks_have_the_time_they_need(network: Network) -> None:
    """At 200 Hz a batch takes minutes; buffers hold what takes a second, the patience is that of
    the package."""
    driver = load_driver(network.package)
    images, labels = network.golden()
    with SimulatedBoard(network.program, network.rtl) as board:
        platform = SimulatedPlatform(board, clock_mhz=200e-6)
        accelerator = driver.Accelerator(str(network.package), platform)
        assert accelerator.frames == max(1, int(200 / accelerator.frame_cycles))
        begin = platform.now()
        assert np.array_equal(accelerator.predict(images), labels)
        assert platform.now() - begin > 20


def test_validate_on_a_pc_says_what_to_do(network: Network) -> None:
    done = subprocess.run(
        [sys.executable, "-B", network.package / "validate.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "scp -r package" in done.stderr and "qnnc simulate BUILD --board" in done.stderr


def test_validate_goes_on_in_the_environment_of_pynq(network: Network, tmp_path: Path) -> None:
    """As on an image from 2.7 on, where `sudo python3` is a Python without pynq."""
    other = tmp_path / "pynq-python"
    other.write_text("#!/bin/sh\necho $QNNC_IN_PYNQ $XILINX_XRT $*\n")
    other.chmod(0o755)
    code = (
        "import sys; sys.modules['pynq'] = None; import os, platform; "
        "platform.machine = lambda: 'armv7l'; os.geteuid = lambda: 0; "
        f"import validate; validate.PYNQ_PYTHON = {str(other)!r}; sys.exit(validate.main())"
    )
    environment = {name: os.environ[name] for name in os.environ if name != "XILINX_XRT"}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, "some", "arguments"], cwd=network.package,
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "1 /usr -c some arguments\n", done.stderr


def test_a_package_without_a_bitstream_says_so(network: Network, tmp_path: Path) -> None:
    bare = tmp_path / "package"
    shutil.copytree(network.package, bare)
    (bare / "accelerator.bit").unlink()
    driver = load_driver(bare)
    with pytest.raises(driver.AcceleratorError, match=r"accelerator\.bit is missing.*README"):
        driver.Accelerator(str(bare))


def test_another_build_on_the_board_is_refused(network: Network, tmp_path: Path) -> None:
    driver = load_driver(network.package)

    other = tmp_path / "other"
    shutil.copytree(network.package, other)
    about = json.loads((other / "accelerator.json").read_text())
    about["build_id"] = "00000000deadbeef"
    (other / "accelerator.json").write_text(json.dumps(about))
    with (
        SimulatedBoard(network.program, network.rtl, BUS) as board,
        pytest.raises(driver.AcceleratorError, match="this package is 00000000deadbeef"),
    ):
        driver.Accelerator(str(other), SimulatedPlatform(board))


def test_the_package(network: Network) -> None:
    names = {path.name for path in network.package.iterdir()}
    assert names == {
        "README.md", "accelerator.bit", "accelerator.hwh", "accelerator.ipynb", "accelerator.json",
        "driver.py",
        "golden.npz", "post.npz", "post.onnx", "pre.npz", "pre.onnx", "qnnc_errors.py",
        "qnnc_host.py", "qnnc_platforms.py", "qnnc_streams.py", "qnnc_zynq.py", "validate.py",
    }  # fmt: skip
    with zipfile.ZipFile(network.package.with_suffix(".zip")) as archive:
        assert {name.removeprefix("accelerator/") for name in archive.namelist()} == names
    assert f"[n, {network.golden()[0].shape[1]}]" in (network.package / "README.md").read_text()


def test_the_notebook_runs(
    network: Network, driver: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cells, from the top, on the simulated board; the answers are the golden ones."""
    pages = json.loads((network.package / "accelerator.ipynb").read_text())
    assert (pages["nbformat"], pages["nbformat_minor"]) == (4, 5)
    monkeypatch.chdir(network.package)
    monkeypatch.setitem(sys.modules, "driver", driver)
    with SimulatedBoard(network.program, network.rtl, BUS) as board:
        shown: list[tuple[object, ...]] = []
        here: dict[str, object] = {
            "folder": str(network.package),
            "platform": SimulatedPlatform(board),
            "print": lambda *values: shown.append(values),
        }
        for cell in pages["cells"]:
            if cell["cell_type"] == "code":
                text = "".join(cell["source"])
                exec(text.replace("Accelerator()", "Accelerator(folder, platform)"), here)
    assert shown
    assert all(apart == 0 for _, apart in shown)


def test_the_bin_file_is_the_payload_with_bytes_reversed(
    network: Network, driver: ModuleType
) -> None:
    assert driver.bit_to_bin(str(network.bit)) == b"\x66\x55\x99\xaa" * 4
    with pytest.raises(driver.AcceleratorError, match=r"not a \.bit file"):
        driver.bit_to_bin(str(network.package / "driver.py"))


def test_pynq_reads_the_hwh(network: Network) -> None:
    pytest.importorskip("pynq", reason="pynq is not installed", exc_type=ImportError)
    from pynq.pl_server.hwh_parser import _HWHZynq

    parser = _HWHZynq(str(network.package / "accelerator.hwh"))
    ip = parser.ip_dict["qnnc_0"]
    assert (ip["phys_addr"], ip["addr_range"]) == (0x43C00000, 0x1000)
    assert ip["registers"]["CONTROL"]["address_offset"] == 0x10
    assert ip["registers"]["M_AXIS_SIZE"]["address_offset"] == 0x64
    clock = parser.clock_dict[0]
    assert clock["enable"] == 1
    assert 1000 / (clock["divisor0"] * clock["divisor1"]) == 100
    assert [parser.clock_dict[i]["enable"] for i in (1, 2, 3)] == [0, 0, 0]
    assert "qnnc_0/irq" in parser.interrupt_pins or parser.nets


def test_the_metadata_package_of_pynq_reads_the_hwh(network: Network) -> None:
    frontend = pytest.importorskip(
        "pynqmetadata.frontends", reason="pynq is not installed", exc_type=ImportError
    )
    module = frontend.Metadata(input=str(network.package / "accelerator.hwh"))
    assert {"processing_system7_0", "qnnc_0"} <= set(module.blocks)
    port = module.blocks["qnnc_0"].ports["S_AXI"]
    assert (port.baseaddr, port.range) == (0x43C00000, 0x1000)
    assert port.registers["CONTROL"].offset == 0x10


def test_the_driver_through_pynq(network: Network) -> None:
    pytest.importorskip("pynq", reason="pynq is not installed", exc_type=ImportError)
    driver = load_driver(network.package)
    images, labels = network.golden()
    with SimulatedBoard(network.program, network.rtl, BUS) as board:
        device = pynq_device(board)
        accelerator = driver.Accelerator(str(network.package), device=device)
        assert isinstance(accelerator.platform, driver.PynqPlatform)
        assert device.downloaded == [str(network.package / "accelerator.bit")]
        assert np.array_equal(accelerator.predict(images), labels)


def test_256_images_of_the_example(example: Path, cache: Path, tmp_path: Path) -> None:
    images = shared_file("data/mnist/t10k-images-idx3-ubyte.gz")
    labels = shared_file("data/mnist/t10k-labels-idx1-ubyte.gz")
    options = ["--input-type", "uint8", "--input-scale", "1/255", "--top-k", "1", "--fps", "100000"]
    out = tmp_path / "build"
    done = qnnc(
        ["build", example / "tfc_w2a2.onnx", *options, "--samples", images, "--until", "rtl",
         "--out", out, "--cache-dir", cache]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = run_on_board(out, samples=images, labels=labels, count=256, bus=BUS)
    assert result.frames == 256
    assert result.mismatches == 0
    assert result.correct is not None and result.correct > 240
    assert result.cycles / result.frames <= 1.05 * result.bound_cycles
    assert result.frames_per_second == pytest.approx(256 * 1e8 / result.cycles)
