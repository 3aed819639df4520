# SPDX-License-Identifier: Apache-2.0
"""A running simulated board: registers, memory, time."""

from __future__ import annotations

import contextlib
import mmap
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.simulation.simulate import check_assertions
from qnnc.compiler.errors import ToolError, VerificationError

MEMORY_BASE = 0x10000000
MEMORY_SIZE = 256 << 20
PAGE = 4096
_READ, _WRITE, _ADVANCE, _CYCLES, _RESET, _FAULT, _INTERRUPT = range(1, 8)
_READ_ERROR, _WRITE_ERROR, _LAST, _STRAY_BEAT, _STRAY_ANSWER, _UNASKED = range(6)


@dataclass(frozen=True)
class Bus:
    """How the processing system's ports behave.

    Attributes:
        seed: of the random choices.
        latency: cycles before a burst is answered, lowest and highest.
        percent: of cycles in which a channel of a port to memory moves.
        rate: bytes per cycle that memory moves over all ports; 0 for no limit.
    """

    seed: int = 1
    latency: tuple[int, int] = (10, 40)
    percent: int = 100
    rate: float = 0.0


class SimulatedBoard:
    """The simulation's process. Use it as a context manager.

    Raises:
        VerificationError: the shell breaks AXI's rules or does not answer.
        ToolError: the process cannot be started.
    """

    def __init__(self, program: Path, folder: Path, bus: Bus | None = None) -> None:
        self.bus = bus or Bus()
        self._next = MEMORY_BASE
        self._file = tempfile.NamedTemporaryFile(prefix="qnnc-board-")  # noqa: SIM115
        self._file.truncate(MEMORY_SIZE)
        self._map = mmap.mmap(self._file.fileno(), MEMORY_SIZE)
        self.memory: NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8)
        bus = self.bus
        options = [
            *(self._file.name, MEMORY_BASE, MEMORY_SIZE, bus.seed, *bus.latency, bus.percent),
            round(bus.rate / 8 * 100),
        ]
        try:
            self._process = subprocess.Popen(
                [str(program), *map(str, options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
            )
        except OSError as error:
            raise ToolError(f"cannot start the simulated board: {error}") from error

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()
        self._file.close()

    def _ask(self, *request: int) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        padded = [*request, 0, 0, 0][:4]
        try:
            self._process.stdin.write(struct.pack("<4I", *padded))
            self._process.stdin.flush()
            answer = self._process.stdout.read(8)
        except OSError:
            answer = b""
        if len(answer) != 8 or answer.startswith(b"["):  # Verilator's words on an assertion
            assert self._process.stderr is not None and self._process.stdout is not None
            words = answer + self._process.stdout.read() + self._process.stderr.read()
            text = words.decode(errors="replace").strip()
            check_assertions(text)
            last = (text.splitlines() or ["it ended without a message"])[-1]
            raise VerificationError(f"simulated board: {last}")
        status, value = struct.unpack("<2I", answer)
        if status == 1:
            raise VerificationError("simulated board: the register bus does not answer")
        if status:
            raise VerificationError(f"simulated board: bus error at 0x{request[1]:08x}")
        return int(value)

    def read(self, address: int, beats: int = 1) -> int:
        """Read registers at a bus address in a burst; the last one's value."""
        return self._ask(_READ, address, beats - 1)

    def write(self, address: int, value: int, strobes: int = 15) -> None:
        """Write a register at a bus address; strobes select its bytes."""
        self._ask(_WRITE, address, value, strobes)

    def advance(self, cycles: int) -> None:
        """Let time pass."""
        self._ask(_ADVANCE, cycles)

    def reset(self, cycles: int = 16) -> None:
        """Pull the fabric's reset, as the processing system does; bursts on their way are lost."""
        self._ask(_RESET, cycles)

    def fail_read(self, after: int) -> None:
        """Answer one read burst with SLVERR, after `after` regular ones."""
        self._ask(_FAULT, _READ_ERROR, after)

    def fail_write(self, after: int) -> None:
        """Answer one write burst with SLVERR, after `after` regular ones."""
        self._ask(_FAULT, _WRITE_ERROR, after)

    def mislead(self, after: int) -> None:
        """Invert RLAST in one read burst, after `after` regular ones."""
        self._ask(_FAULT, _LAST, after)

    def stray_beat(self, after: int) -> None:
        """Append an extra beat to one read burst, after `after` regular ones."""
        self._ask(_FAULT, _STRAY_BEAT, after)

    def stray_answer(self, after: int) -> None:
        """Send a second response to one write burst, after `after` regular ones."""
        self._ask(_FAULT, _STRAY_ANSWER, after)

    def unasked_answer(self, after: int) -> None:
        """Answer a write that was never made, over the last port, after `after` of its read
        bursts."""
        self._ask(_FAULT, _UNASKED, after)

    @property
    def cycles(self) -> int:
        """Cycles of the clock so far."""
        return self._ask(_CYCLES, 0) | self._ask(_CYCLES, 1) << 32

    @property
    def interrupt(self) -> bool:
        """The interrupt is up."""
        return bool(self._ask(_INTERRUPT))

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Contiguous memory: its physical address and its bytes [size], which both sides see.

        Raises:
            ToolError: there is not enough.
        """
        address = self._next
        self._next += -(-max(size, 1) // PAGE) * PAGE
        if self._next > MEMORY_BASE + MEMORY_SIZE:
            raise ToolError("the simulated board's memory is full")
        start = address - MEMORY_BASE
        return address, self.memory[start : start + size]
