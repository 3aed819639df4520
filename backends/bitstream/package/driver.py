# SPDX-License-Identifier: Apache-2.0
"""Driver of an accelerator made by qnnc, for the board. It needs numpy and Python 3.8 or later.

    from driver import Accelerator
    accelerator = Accelerator()
    labels = accelerator.predict(images)

With pynq it loads the overlay and takes buffers from pynq; without, it goes through the kernel's
fpga_manager and /dev/mem, which needs root. The network's host-side parts run in onnxruntime if it
is installed, otherwise in numpy.

The modules qnnc_*.py beside this file belong to it.
"""

import json
import os
import time

import numpy as np
from qnnc_errors import ERROR_NAMES, AcceleratorError
from qnnc_host import HostPart
from qnnc_platforms import BarePlatform, PynqPlatform, bit_to_bin
from qnnc_streams import Layout

__all__ = [
    "HERE",
    "Accelerator",
    "AcceleratorError",
    "BarePlatform",
    "Layout",
    "PynqPlatform",
    "bit_to_bin",
]

HERE = os.path.dirname(os.path.abspath(__file__))
MAGIC = 0x514E4E43
BUILD_LOW, BUILD_HIGH, CONTROL, STATUS, ERRORS = 0x08, 0x0C, 0x10, 0x14, 0x18
FRAMES, FRAMES_DONE, CYCLES_LOW, CYCLES_HIGH = 0x1C, 0x20, 0x24, 0x28
ADDRESS, SIZE, STARVED, BLOCKED = 0x00, 0x04, 0x0C, 0x10
IDLE, DONE = 1, 2
BUFFER_BYTES, BUFFER_SECONDS = 4 << 20, 1.0  # of one run, whichever holds fewer frames
PATIENCE = 4.0  # a run counts as stuck after so many times what it should take, and a second
ALIGNMENT = 128


class Accelerator:
    """The network on the board.

    Args:
        folder: of the package; by default that of this file.
        platform: a way to the hardware, or None for pynq where it is installed, otherwise the
            kernel.
        frames: that a buffer holds at most; by default 4 MB, or what takes a second.
        timeout: seconds after which a run counts as stuck; by default what follows from its frames
            and the accelerator's cycles per frame.
        use_numpy: True to run the host's parts in numpy even if onnxruntime is installed.
        options: handed on to the platform: device=, memory=, download=.

    Raises:
        AcceleratorError: package, bitstream and board do not fit.
    """

    def __init__(
        self, folder=HERE, platform=None, frames=None, timeout=None, use_numpy=None, **options
    ):
        with open(os.path.join(folder, "accelerator.json")) as file:
            self.description = json.load(file)
        about = self.description
        self.inputs = [Layout(stream) for stream in about["inputs"]]
        self.outputs = [Layout(stream) for stream in about["outputs"]]
        self.clock_mhz = float(about["clock_mhz"])
        self.frame_cycles, self.fill_cycles = about["frame_cycles"], about["fill_cycles"]
        self.timeout = timeout
        self.pre = HostPart(folder, "pre", about["pre"], use_numpy)
        self.post = HostPart(folder, "post", about["post"], use_numpy)
        largest = max(stream.frame_bytes for stream in self.inputs + self.outputs)
        self.batch = int(about.get("batch", 1))  # frames that go in before the first comes out
        bitfile = os.path.join(folder, about["bitfile"])
        self.platform = platform or self._platform(bitfile, options)
        self.clock_mhz = getattr(self.platform, "clock_mhz", None) or self.clock_mhz
        in_time = BUFFER_SECONDS * self.clock_mhz * 1e6 / self.frame_cycles
        frames = frames or max(1, int(min(BUFFER_BYTES // largest, in_time)))
        self.frames = -(-frames // self.batch) * self.batch
        self._check()
        self.weights = [self._load_weights(folder, entry) for entry in about.get("weights", [])]
        self._slots = [self._allocate(), self._allocate()]
        self.reset()

    def _platform(self, bitfile, options):
        base, length = int(self.description["base"]), int(self.description["length"])
        options.setdefault("ps_clock_mhz", self.description["ps_clock_mhz"])
        if not os.path.exists(bitfile):
            raise AcceleratorError(
                "%s is missing: this package was made without a bitstream; README.md beside it "
                "says how to get one" % bitfile
            )
        try:
            import pynq  # noqa: F401
        except ImportError:
            return BarePlatform(bitfile, base, length, self.clock_mhz, **options)
        return PynqPlatform(bitfile, base, length, self.clock_mhz, **options)

    def _check(self):
        if self.platform.read(0) != MAGIC:
            raise AcceleratorError("no qnnc accelerator answers; is the bitstream loaded?")
        found = self.platform.read(BUILD_LOW) | self.platform.read(BUILD_HIGH) << 32
        wanted = int(self.description["build_id"], 16)
        if found != wanted:
            raise AcceleratorError(
                f"the accelerator on the board is build {found:016x}, this package is {wanted:016x}"
            )

    def _allocate(self):
        sizes = [
            (stream, -(-stream.frame_bytes * self.frames // 8) * 8)
            for stream in self.inputs + self.outputs
        ]
        return [self.platform.allocate(size) for _, size in sizes]

    def _load_weights(self, folder, entry):
        """Weights that are read from memory once for every batch: their stream's name and
        registers, the memory that holds them, and address and size in it."""
        words = np.fromfile(os.path.join(folder, os.path.basename(entry["file"])), np.uint8)
        if words.size != entry["bytes"]:
            raise AcceleratorError("%s is not of this package" % entry["file"])
        size = words.size * entry["copies"]
        memory = self.platform.allocate(size + ALIGNMENT)
        shift = -memory.address % ALIGNMENT
        memory.array[shift : shift + size] = np.tile(words, entry["copies"])
        memory.to_device()
        return entry["name"], entry["registers"], memory, memory.address + shift, size

    def reset(self):
        """Bring the bus to rest and the accelerator into its first state, whatever it does."""
        self.platform.write(CONTROL, 2)
        self._wait(IDLE, "reset", 0)

    def _wait(self, bit, what, frames):
        """Wait for a status bit, as long as a run of so many frames may take."""
        cycles = self.fill_cycles + frames * self.frame_cycles
        timeout = self.timeout
        if timeout is None:
            timeout = 1.0 + PATIENCE * cycles / (self.clock_mhz * 1e6)
        deadline = self.platform.now() + timeout
        while not self.platform.read(STATUS) & bit:
            if self.platform.now() > deadline:
                raise AcceleratorError(
                    "%s did not end within %g s (%d frames done, errors: %s)"
                    % (what, timeout, self._frames_done(), self._errors() or "none")
                )
            self.platform.pause(50e-6)

    def _frames_done(self):
        return self.platform.read(FRAMES_DONE) * self.batch

    def _errors(self):
        bits = self.platform.read(ERRORS)
        return "; ".join(text for i, text in enumerate(ERROR_NAMES) if bits >> i & 1)

    def start(self, frames, slot=0):
        """Start a run over frames that lie in a slot's buffers; what is missing to a whole batch
        is whatever lies there."""
        buffers = self._slots[slot]
        for stream, memory in zip(self.inputs + self.outputs, buffers):
            self.platform.write(stream.registers + ADDRESS, memory.address)
            self.platform.write(stream.registers + SIZE, memory.array.nbytes)
        for _, registers, _, address, size in self.weights:
            self.platform.write(registers + ADDRESS, address)
            self.platform.write(registers + SIZE, size)
        self.platform.write(FRAMES, -(-frames // self.batch))
        self._started = -(-frames // self.batch) * self.batch
        self.platform.write(CONTROL, 1)

    def finish(self):
        """Wait for the run to end; raises AcceleratorError if it ends with an error."""
        try:
            self._wait(DONE, "the run", self._started)
        except AcceleratorError:
            self.reset()
            raise
        errors = self._errors()
        if errors:
            self.reset()
            raise AcceleratorError(errors)
        self.platform.write(STATUS, DONE)

    @property
    def cycles(self):
        """Cycles of the last run, first request to last answer."""
        return self.platform.read(CYCLES_LOW) | self.platform.read(CYCLES_HIGH) << 32

    def stalls(self):
        """For each stream, the cycles of the last run in which its receiver waited for a word,
        and in which a word waited for its receiver."""
        streams = [(stream.name, stream.registers) for stream in self.inputs + self.outputs]
        return {
            name: (self.platform.read(at + STARVED), self.platform.read(at + BLOCKED))
            for name, at in streams + [weights[:2] for weights in self.weights]
        }

    def _fill(self, slot, tensors, start, stop):
        for stream, memory, tensor in zip(self.inputs, self._slots[slot], tensors):
            stream.pack(tensor[start:stop], memory.array)
            memory.to_device()

    def _drain(self, slot, frames):
        result = []
        for stream, memory in zip(self.outputs, self._slots[slot][len(self.inputs) :]):
            memory.from_device()
            result.append(stream.unpack(memory.array, frames))
        return result

    def run(self, tensors):
        """Run integer tensors, one for each input stream [n, ...], through the accelerator.

        While it works on one part of the batch, the next is packed and the last unpacked.

        Returns:
            Integer tensors, one for each output stream.
        """
        count = len(tensors[0])
        parts = [(i, min(i + self.frames, count)) for i in range(0, count, self.frames)]
        results, busy = [], None
        self.run_cycles = 0
        for number, (start, stop) in enumerate(parts):
            slot = number % 2
            self._fill(slot, tensors, start, stop)
            if busy is not None:
                self.finish()
                self.run_cycles += self.cycles
            self.start(stop - start, slot)
            if busy is not None:
                results.append(self._drain(*busy))
            busy = (slot, stop - start)
        if busy is None:
            return [np.zeros((0, *stream.shape), np.int64) for stream in self.outputs]
        self.finish()
        self.run_cycles += self.cycles
        results.append(self._drain(*busy))
        return [np.concatenate(column) for column in zip(*results)]

    def predict(self, batch):
        """The network's answer to a batch [n, ...] of its real inputs.

        Args:
            batch: one array, or a list of arrays for a network of several inputs.
        """
        arrays = list(batch) if isinstance(batch, (list, tuple)) else [batch]
        shapes = self.description["input_shapes"]
        arrays = [np.asarray(a).reshape([-1, *list(shape[1:])]) for a, shape in zip(arrays, shapes)]
        if len(arrays[0]) == 0:
            raise AcceleratorError("the batch is empty")
        wanted = self.description["input_types"]
        arrays = [a.astype(kind, copy=False) for a, kind in zip(arrays, wanted)]
        tensors = self.pre.run(arrays)
        streams, beside = tensors[: len(self.inputs)], tensors[len(self.inputs) :]
        found = [f.astype(np.float32) for f in self.run(streams)]
        results = self.post.run(found + beside)
        return results[0] if len(results) == 1 else results

    def throughput(self, frames=None):
        """Frames per second over a full buffer of any contents: by the accelerator's own cycle
        counter, and in wall time with packing and unpacking."""
        frames = min(frames or self.frames, self.frames)
        tensors = [
            np.full((frames, *stream.shape), stream.high, np.int64).astype(
                np.uint8 if 0 <= stream.high < 256 else np.int64
            )
            for stream in self.inputs
        ]
        begin = time.perf_counter()
        self.run(tensors)
        seconds = time.perf_counter() - begin
        return {
            "frames": frames,
            "cycles": self.run_cycles,
            "frames_per_second": frames * self.clock_mhz * 1e6 / self.run_cycles,
            "frames_per_second_with_host": frames / seconds,
        }

    def latency(self, runs=10):
        """Seconds from starting a run of one frame to its result in memory: the least by the
        accelerator's counter, and the median in wall time."""
        tensors = [np.full((1, *stream.shape), stream.high, np.int64) for stream in self.inputs]
        self._fill(0, tensors, 0, 1)
        cycles, wall = [], []
        for _ in range(runs):
            begin = time.perf_counter()
            self.start(1)
            self.finish()
            wall.append(time.perf_counter() - begin)
            cycles.append(self.cycles)
        return {
            "seconds": min(cycles) / (self.clock_mhz * 1e6),
            "seconds_with_host": sorted(wall)[len(wall) // 2],
        }
