# SPDX-License-Identifier: Apache-2.0
"""Writing the package: a folder, and a zip of it to copy to the board."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.backends.bitstream.package.description import describe
from qnnc.backends.bitstream.package.hwh import hwh
from qnnc.backends.bitstream.package.notebook import notebook
from qnnc.backends.bitstream.package.pace import Pace
from qnnc.backends.bitstream.shell import Shell
from qnnc.compiler.board import Board
from qnnc.compiler.files import new_folder, write_bytes
from qnnc.compiler.reference import BatchRunner

NAME = "accelerator"
"""Of the design, and of the files made of it."""
GOLDEN_SAMPLES = 64
DRIVER_FILES = (
    "driver.py",
    "qnnc_errors.py",
    "qnnc_host.py",
    "qnnc_platforms.py",
    "qnnc_streams.py",
    "qnnc_zynq.py",
    "validate.py",
)
"""Shipped as they are, side by side; each imports the others by plain name."""
_OWN = Path(__file__).parent
_README = """\
# {name} for {board}

A quantized neural network in the programmable logic, made by qnnc {version}. Build {build_id}.

{bitstream}On the board, in this folder:

    sudo python3 validate.py   # golden samples, throughput, latency

or the same in the board's Jupyter: {name}.ipynb.

In Python:

    from driver import Accelerator
    accelerator = Accelerator()
    answers = accelerator.predict(batch)    # batch: {shapes}

With pynq (2.7 to 4.0) installed, the driver loads {bitfile} as an overlay. Without it, the driver
uses the kernel's FPGA manager and /dev/mem and needs a u-dma-buf device or a region of memory kept
from the kernel: `Accelerator(memory=(address, bytes))`. onnxruntime is used if it is there,
else numpy.

Clock {clock:.6g} MHz (FCLK_CLK0), which the driver sets and reads back; registers at 0x43C00000,
memory over {ports}, interrupt IRQ_F2P[0].
"""

_WITHOUT_BITSTREAM = """\
{bitfile} is not here yet: this package was written without a place-and-route tool. Either

- run `qnnc build` again with nextpnr on PATH and --prjxray-db, or with Vivado on PATH, or
- run vivado/build.tcl of the build's folder in Vivado and copy the bitstream here as {bitfile}.

"""


@dataclass(frozen=True)
class Source:
    """What a package is made of.

    Attributes:
        shell: with the accelerator.
        board: it is for.
        clock_mhz: of the accelerator.
        pace: cycles that a run takes.
        model: folder with pre.onnx, post.onnx and golden.onnx.
        samples: real inputs by name, for the golden samples.
        bitstream: the .bit file, or None if there is none yet.
        version: of qnnc.
    """

    shell: Shell
    board: Board
    clock_mhz: float
    pace: Pace
    model: Path
    samples: Mapping[str, NDArray[np.float32]]
    bitstream: Path | None
    version: str


def write_package(source: Source, folder: Path) -> None:
    """Write the package into a new folder; with a bitstream also the zip beside it."""
    bitfile = f"{NAME}.bit"
    description, constants = describe(
        source.shell,
        source.board,
        source.clock_mhz,
        source.pace,
        bitfile,
        source.model / "pre.onnx",
        source.model / "post.onnx",
    )
    with new_folder(folder) as out:
        _write_json(out / "accelerator.json", description)
        for part, arrays in constants.items():
            shutil.copyfile(source.model / f"{part}.onnx", out / f"{part}.onnx")
            np.savez(out / f"{part}.npz", **arrays)  # type: ignore[arg-type]
        for port in source.shell.design.weights:
            (out / port.file).write_bytes(port.words.tobytes())
        for name in DRIVER_FILES:
            shutil.copyfile(_OWN / name, out / name)
        golden = golden_samples(source.model / "golden.onnx", source.samples)
        np.savez_compressed(out / "golden.npz", **golden)  # type: ignore[arg-type]
        text = hwh(source.shell, source.board, source.clock_mhz, NAME)
        (out / f"{NAME}.hwh").write_text(text, encoding="utf-8")
        pages = notebook(NAME, source.board.name, len(description["input_shapes"]))
        (out / f"{NAME}.ipynb").write_text(pages, encoding="utf-8")
        (out / "README.md").write_text(_readme(source, description, bitfile), encoding="utf-8")
        if source.bitstream is not None:
            shutil.copyfile(source.bitstream, out / bitfile)
    archive = folder.with_suffix(".zip")
    if source.bitstream is not None:
        _write_zip(folder, archive)
    else:
        archive.unlink(missing_ok=True)


def golden_samples(
    path: Path, samples: Mapping[str, NDArray[np.float32]], count: int = GOLDEN_SAMPLES
) -> dict[str, NDArray[Any]]:
    """Inputs and the golden graph's answers, as input_0, … and output_0, …"""
    model = ir.from_proto(onnx.load(path))
    few = {name: array[:count] for name, array in samples.items()}
    outputs = BatchRunner(model).run(few)
    ordered = [few[str(value.name)] for value in model.graph.inputs]
    answers = [outputs[str(value.name)] for value in model.graph.outputs]
    found = {f"input_{i}": array for i, array in enumerate(ordered)}
    return {**found, **{f"output_{i}": array for i, array in enumerate(answers)}}


def _readme(source: Source, description: Mapping[str, Any], bitfile: str) -> str:
    shapes = ", ".join(
        f"[n, {', '.join(map(str, shape[1:]))}]" for shape in description["input_shapes"]
    )
    return _README.format(
        name=NAME,
        board=source.board.name,
        version=source.version,
        build_id=description["build_id"],
        shapes=shapes,
        bitfile=bitfile,
        bitstream="" if source.bitstream else _WITHOUT_BITSTREAM.format(bitfile=bitfile),
        clock=source.clock_mhz,
        ports=", ".join(port.name for port in source.shell.ports),
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _write_zip(folder: Path, archive: Path) -> None:
    """All files under the package's name, with fixed dates so that equal packages are equal."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"{NAME}/{path.name}", (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            out.writestr(entry, path.read_bytes())
    write_bytes(archive, buffer.getvalue())
