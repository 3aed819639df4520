# SPDX-License-Identifier: Apache-2.0
"""The simulated board as the driver wants it: its own platform, or a device of pynq's."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from qnnc.backends.bitstream.shell.shell import REGISTERS
from qnnc.backends.bitstream.simulated.board import SimulatedBoard

PAUSE_CYCLES = 500
"""Cycles that pass between two looks at a register."""


def load_driver(folder: Path) -> ModuleType:
    """The driver of a package, as a module of its own: drivers of several packages, of different
    versions too, can be loaded side by side."""
    spec = importlib.util.spec_from_file_location("qnnc_shipped_driver", folder / "driver.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _imports_from(folder):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _imports_from(folder: Path) -> Iterator[None]:
    """The driver's own modules come from its folder, and are known to it alone afterwards."""
    names = {path.stem for path in folder.glob("qnnc_*.py")}
    others = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    path, writes = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(folder.absolute()))
    sys.dont_write_bytecode = True  # the package stays as it was written
    importlib.invalidate_caches()  # the folder may have been written a moment ago
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, writes
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)


class SimulatedMemory:
    """A buffer that both sides see at once."""

    def __init__(self, board: SimulatedBoard, size: int) -> None:
        self.address, self.array = board.allocate(size)

    def to_device(self) -> None:
        """Nothing is cached."""

    def from_device(self) -> None:
        """Nothing is cached."""


class SimulatedPlatform:
    """What the driver calls a platform.

    Args:
        board: the simulation.
        clock_mhz: of the accelerator; seconds are those of the simulated board.
    """

    def __init__(self, board: SimulatedBoard, clock_mhz: float = 100.0) -> None:
        self.board, self.clock_mhz = board, clock_mhz

    def read(self, offset: int) -> int:
        """A register."""
        return self.board.read(REGISTERS + offset)

    def write(self, offset: int, value: int) -> None:
        """Set a register."""
        self.board.write(REGISTERS + offset, value)

    def allocate(self, size: int) -> SimulatedMemory:
        """Memory for the accelerator."""
        return SimulatedMemory(self.board, size)

    def pause(self, seconds: float) -> None:
        """Let time pass in the simulation."""
        self.board.advance(PAUSE_CYCLES)

    def now(self) -> float:
        """Seconds since the simulation began."""
        return self.board.cycles / (self.clock_mhz * 1e6)


class SimulatedBuffer(np.ndarray[Any, Any]):
    """What pynq's allocators give. (pynq's own buffer does not work with numpy 2: it has a
    `device`, which there is an attribute of every array.)"""

    device_address: int

    def flush(self) -> None:
        """Nothing is cached."""

    def invalidate(self) -> None:
        """Nothing is cached."""


def pynq_device(board: SimulatedBoard, tag: str = "qnnc-simulated") -> Any:
    """The simulated board as a device of pynq's, which has to be installed."""
    from pynq.pl_server.device import Device
    from pynq.pl_server.hwh_parser import _HWHZynq, get_hwh_name

    class SimulatedDevice(Device):  # type: ignore[misc]
        """Registers by reads and writes, buffers in the simulation's memory."""

        def __init__(self) -> None:
            super().__init__(tag)
            self.capabilities = {"REGISTER_RW": True}
            self.downloaded: list[str] = []

        # pynq gives neither types nor names that agree
        def get_bitfile_metadata(self, name: str) -> Any:  # pyright: ignore
            parser: Any = _HWHZynq(get_hwh_name(name))
            parser.systemgraph = getattr(parser, "systemgraph", None)
            return parser

        def download(self, bitstream: Any, parser: Any = None) -> None:
            self.downloaded.append(bitstream.bitfile_name)
            board.reset()

        def read_registers(self, address: int, length: int) -> bytes:
            values = [board.read(address + i) for i in range(0, length, 4)]
            return np.array(values, "<u4").tobytes()[:length]

        def write_registers(self, address: int, data: bytes) -> None:
            for index, value in enumerate(np.frombuffer(bytes(data), "<u4")):
                board.write(address + 4 * index, int(value))

        def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            address, data = board.allocate(size)
            buffer = data.view(dtype).reshape(shape).view(SimulatedBuffer)
            buffer.device_address = address
            return buffer

        def pause(self, seconds: float) -> None:
            board.advance(PAUSE_CYCLES)

        def now(self) -> float:
            return board.cycles / 100e6

    return SimulatedDevice()
