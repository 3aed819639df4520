# SPDX-License-Identifier: Apache-2.0
"""An emulator in a folder: written once, compiled once, run on any frames."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.backends.hls.emulator.network import Channel, Network
from qnnc.backends.hls.emulator.source import constants, machine_type, source, tapped
from qnnc.backends.hls.kernel import headers
from qnnc.backends.simulation.compiler import compiler, compiler_version, digest, run_compiler
from qnnc.compiler.datatypes import datatype
from qnnc.compiler.errors import ToolError, WorkspaceError
from qnnc.compiler.files import new_folder, publish_program

INTERFACE, CONSTANTS, SOURCE = "interface.json", "constants.bin", "emulator.cpp"
FLAGS = ("-std=c++14", "-O3", "-march=native", "-pthread")
Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class TensorFile:
    """A tensor that the emulator reads or writes.

    Attributes:
        name: of the tensor.
        shape: for one frame, batch of one included.
        kind: of an element.
    """

    name: str
    shape: tuple[int, ...]
    kind: BaseDataType

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape without the batch."""
        return self.shape[1:] if self.shape[0] == 1 else self.shape


@dataclass(frozen=True)
class Emulation:
    """What a run gave.

    Attributes:
        outputs: integers [frames, …] by tensor name, in the order of the streams.
        taps: the same for streams inside, if they were asked for.
        seconds: for all frames, files and start-up not counted.
    """

    outputs: Tensors
    taps: Tensors
    seconds: float


def write_emulator(network: Network, folder: Path) -> None:
    """Write source, library, constants and interface into a new folder."""
    interface = {
        "inputs": [_described(c) for c in network.inputs],
        "outputs": [_described(c) for c in network.outputs],
        "taps": [_described(c) for c in tapped(network)],
    }
    with new_folder(folder) as out:
        for name, text in headers(step.kernel for step in network.steps).items():
            (out / name).write_text(text, encoding="utf-8")
        (out / SOURCE).write_text(source(network), encoding="utf-8")
        (out / CONSTANTS).write_bytes(constants(network))
        (out / INTERFACE).write_text(json.dumps(interface, indent=2) + "\n", encoding="utf-8")


def _described(channel: Channel) -> dict[str, object]:
    stream = channel.stream
    return {
        "tensor": channel.tensor,
        "shape": list(stream.shape),
        "datatype": stream.datatype.name,
    }


class Emulator:
    """An emulator that has been written to a folder.

    Raises:
        WorkspaceError: the folder holds none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            plain = json.loads((folder / INTERFACE).read_text(encoding="utf-8"))
            self.inputs, self.outputs, self.taps = (
                [
                    TensorFile(str(t["tensor"]), tuple(t["shape"]), datatype(str(t["datatype"])))
                    for t in plain[name]
                ]
                for name in ("inputs", "outputs", "taps")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(f"{folder} holds no emulator; build again") from error

    def compile(self, cache: Path) -> tuple[Path, bool]:
        """The program, and whether it was in the cache already. Constants are not part of it.

        Raises:
            ToolError: there is no C++ compiler, or it fails.
            WorkspaceError: the folder holds no emulator.
        """
        files = [SOURCE, *sorted(p.name for p in self.folder.glob("*.h"))]
        try:
            texts = [name + (self.folder / name).read_text(encoding="utf-8") for name in files]
        except OSError as error:
            raise WorkspaceError(f"{self.folder} holds no emulator; build again") from error
        program = cache / f"{digest(machine(), *FLAGS, *texts)}-emulator"
        if program.exists():
            return program, True
        with tempfile.TemporaryDirectory(prefix="qnnc-emulator-") as work:
            built = Path(work) / "emulator"
            run_compiler(
                [*FLAGS, f"-I{self.folder}", str(self.folder / SOURCE), "-o", str(built)],
                "the emulator",
            )
            publish_program(built, program)
        return program, False

    def run(
        self,
        program: Path,
        inputs: Mapping[str, NDArray[Any]],
        *,
        threads: int = 1,
        taps: bool = False,
    ) -> Emulation:
        """Run frames.

        Args:
            inputs: integers [frames, …] by tensor name.
            taps: give the streams inside as well.

        Raises:
            ToolError: the emulator fails.
        """
        frames = int(next(iter(inputs.values())).shape[0])
        with tempfile.TemporaryDirectory(prefix="qnnc-emulator-") as work:
            folder = Path(work)
            for index, tensor in enumerate(self.inputs):
                values = np.rint(inputs[tensor.name]).astype(machine_type(tensor.kind))
                (folder / f"in_{index}.bin").write_bytes(np.ascontiguousarray(values).tobytes())
            done = subprocess.run(
                [
                    str(program),
                    str(self.folder / CONSTANTS),
                    work,
                    str(frames),
                    str(threads),
                    str(int(taps)),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise ToolError(f"the emulator failed (code {done.returncode}): {reason}")
            outputs = self._read(folder, "out", self.outputs, frames)
            inner = self._read(folder, "tap", self.taps, frames) if taps else {}
        return Emulation(outputs, inner, float(done.stdout.split()[0]))

    @staticmethod
    def _read(folder: Path, kind: str, tensors: list[TensorFile], frames: int) -> Tensors:
        return {
            tensor.name: np.fromfile(
                folder / f"{kind}_{index}.bin", machine_type(tensor.kind)
            ).reshape(frames, *tensor.frame)
            for index, tensor in enumerate(tensors)
        }


@lru_cache(maxsize=1)
def machine() -> str:
    """What `-march=native` means here, so that a cache may be shared between machines."""
    done = subprocess.run(
        [compiler(), "-march=native", "-dM", "-E", "-x", "c++", "-"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    return digest(compiler_version(), done.stdout)
