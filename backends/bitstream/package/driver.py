# SPDX-License-Identifier: Apache-2.0
"""Driver of an accelerator made by qnnc, for the board. It needs numpy and Python 3.8 or later.

    from driver import Accelerator
    accelerator = Accelerator()
    labels = accelerator.predict(images)

With pynq it loads the overlay and takes buffers from pynq; without, it goes through the kernel's
fpga_manager and /dev/mem, which needs root. The network's host-side parts run in onnxruntime if it
is installed, else in numpy.
"""

import glob
import json
import mmap
import os
import platform as machine
import struct
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MAGIC = 0x514E4E43
BUILD_LOW, BUILD_HIGH, CONTROL, STATUS, ERRORS = 0x08, 0x0C, 0x10, 0x14, 0x18
FRAMES, FRAMES_DONE, CYCLES_LOW, CYCLES_HIGH = 0x1C, 0x20, 0x24, 0x28
ADDRESS, SIZE, STARVED, BLOCKED = 0x00, 0x04, 0x0C, 0x10
IDLE, DONE = 1, 2
ERROR_NAMES = (
    "a buffer's address is not a multiple of 8",
    "a buffer is too short for the frames",
    "a buffer lies outside of the memory",
    "memory answered a read with an error",
    "memory answered a write with an error",
    "started while it was running",
    "a stream or bus broke its protocol",
    "a register was accessed in a way it does not allow",
)
BUFFER_BYTES = 4 << 20


class AcceleratorError(RuntimeError):
    """The accelerator, its package or the board cannot do what was asked for."""


# ---------------------------------------------------------------------------------------------
# Words of a stream in memory


class Layout:
    """How a tensor lies in memory: codes of `bits` bits, `lanes` to a word, a word in
    `memory_bytes` bytes, element 0 lowest."""

    def __init__(self, stream):
        self.name = stream["name"]
        self.shape = tuple(stream["shape"][1:])
        self.bits = int(stream["bits"])
        self.signed = bool(stream["signed"])
        self.bipolar = bool(stream["bipolar"])
        self.lanes = int(stream["lanes"])
        self.words = int(stream["words"])
        self.memory_bytes = int(stream["memory_bytes"])
        self.frame_bytes = self.words * self.memory_bytes
        self.registers = int(stream["registers"])
        self.low, self.high = int(stream["low"]), int(stream["high"])
        # words of up to 8 bytes are one number, longer ones several of 8 bytes
        self.part = "<u%d" % min(self.memory_bytes, 8)
        self.parts = max(1, self.memory_bytes // 8)
        self.part_bits = 8 * min(self.memory_bytes, 8)

    @property
    def plain(self):
        """A word is one element, and memory holds it as numpy does."""
        return self.lanes == 1 and self.bits in (8, 16, 32) and self.bits == 8 * self.memory_bytes

    def pack(self, values, out):
        """Write a batch [n, ...] of integers as memory words into bytes `out`."""
        frames = len(values)
        flat = np.ascontiguousarray(values).reshape(frames * self.words, self.lanes)
        check = flat.size and (
            flat.dtype.kind == "f" or flat.min() < self.low or flat.max() > self.high
        )
        if check:
            if flat.dtype.kind == "f":
                rounded = np.rint(flat)
                if not np.array_equal(rounded, flat):
                    raise AcceleratorError(f"{self.name} takes integers")
                flat = rounded
            if flat.min() < self.low or flat.max() > self.high:
                raise AcceleratorError(
                    "%s takes values from %d to %d" % (self.name, self.low, self.high)
                )
        words = out[: frames * self.frame_bytes].view(self.part).reshape(-1, self.parts)
        if self.plain:
            kind = "<i%d" if self.signed else "<u%d"
            words.view(kind % self.memory_bytes)[:] = flat
            return
        if self.bits == 1:
            rows = out[: frames * self.frame_bytes].reshape(-1, self.memory_bytes)
            packed = np.packbits(flat > 0, axis=1, bitorder="little")
            rows[:, : packed.shape[1]] = packed
            rows[:, packed.shape[1] :] = 0
            return
        codes = self._codes(flat)
        if self.parts == 1 and self.lanes == 1:
            words[:] = codes
            return
        sums = np.zeros((self.parts, len(flat)), dtype=self.part)
        for lane in range(self.lanes):
            part, shift = divmod(lane * self.bits, self.part_bits)
            code = codes[:, lane]
            sums[part] |= code << code.dtype.type(shift) if shift else code
            if shift + self.bits > self.part_bits:
                sums[part + 1] |= code >> code.dtype.type(self.part_bits - shift)
        words[:] = sums.T

    def _codes(self, flat):
        """Unsigned codes in numbers as wide as a part of a word."""
        wide = flat
        if flat.dtype.kind == "f":
            wide = flat.astype(np.int64)
        codes = wide.astype(self.part)
        if self.signed and self.bits < self.part_bits:
            codes &= codes.dtype.type((1 << self.bits) - 1)
        return codes

    def unpack(self, data, frames):
        """The integers [frames, *shape] in memory words."""
        words = data[: frames * self.frame_bytes].view(self.part).reshape(-1, self.parts)
        if self.plain:
            kind = "<i%d" if self.signed else "<u%d"
            return words.view(kind % self.memory_bytes).reshape((frames, *self.shape)).copy()
        if self.bits == 1:
            rows = data[: frames * self.frame_bytes].reshape(-1, self.memory_bytes)
            result = np.unpackbits(rows, axis=1, count=self.lanes, bitorder="little")
            result = 2 * result.view("i1") - 1 if self.bipolar else result
            return result.reshape((frames, *self.shape))
        columns = words.T
        small = "i1" if self.bits < 8 else "i2" if self.bits < 16 else "i4"
        if self.bits > 31:
            small = "i8"
        result = np.empty((len(words), self.lanes), dtype=small)
        for lane in range(self.lanes):
            part, shift = divmod(lane * self.bits, self.part_bits)
            kind = columns.dtype.type
            code = columns[part] >> kind(shift) if shift else columns[part]
            if shift + self.bits > self.part_bits:
                code = code | columns[part + 1] << kind(self.part_bits - shift)
            if self.bits < self.part_bits:
                code = code & kind((1 << self.bits) - 1)
            result[:, lane] = code
        if self.signed and self.bits < 8 * result.itemsize:
            sign = result.dtype.type(1 << (self.bits - 1))
            result = (result ^ sign) - sign
        return result.reshape((frames, *self.shape))


# ---------------------------------------------------------------------------------------------
# The host's parts of the network


def _clip(x, low=None, high=None):
    return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)


def _reshape(x, shape, allowzero=0):
    wanted = [x.shape[i] if d == 0 and not allowzero else int(d) for i, d in enumerate(shape)]
    return np.reshape(x, wanted)


def _top_k(x, k, axis=-1, largest=1, sorted=1):
    order = np.argsort(-x if largest else x, axis=axis, kind="stable")
    index = np.take(order, np.arange(int(np.ravel(k)[0])), axis=axis)
    return np.take_along_axis(x, index, axis), index.astype(np.int64)


def _arg_max(x, axis=0, keepdims=1, select_last_index=0):
    result = np.argmax(x, axis=axis).astype(np.int64)
    return np.expand_dims(result, axis) if keepdims else result


def _softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _flatten(x, axis=1):
    return np.reshape(x, (int(np.prod(x.shape[:axis])), -1))


def _squeeze(x, axes=None):
    return np.squeeze(x, None if axes is None else tuple(int(a) for a in np.ravel(axes)))


def _unsqueeze(x, axes):
    for axis in sorted(int(a) % (x.ndim + np.size(axes)) for a in np.ravel(axes)):
        x = np.expand_dims(x, axis)
    return x


OPERATORS = {
    "Identity": lambda x: x,
    "Cast": lambda x, to: x.astype(to),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda x, perm=None: np.transpose(x, perm),
    "Concat": lambda *x, axis: np.concatenate(x, axis),
    "Gather": lambda x, i, axis=0: np.take(x, i.astype(np.int64), axis),
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": lambda x, y: x // y if x.dtype.kind in "iu" else np.divide(x, y),
    "Neg": np.negative,
    "Abs": np.abs,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Relu": lambda x: np.maximum(x, 0),
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Min": lambda x, *y: x if not y else np.minimum(x, y[0]),
    "Max": lambda x, *y: x if not y else np.maximum(x, y[0]),
    "Clip": _clip,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Equal": np.equal,
    "Where": np.where,
    "MatMul": np.matmul,
    "ArgMax": _arg_max,
    "TopK": _top_k,
    "Softmax": _softmax,
}


class HostPart:
    """A host-side part of the network, in onnxruntime or numpy."""

    def __init__(self, folder, name, steps, use_numpy=None):
        self.steps, self.session = steps, None
        path = os.path.join(folder, name + ".onnx")
        if use_numpy is not True:
            try:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.log_severity_level = 3
                self.session = onnxruntime.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"]
                )
            except ImportError:
                if use_numpy is False:
                    raise
        if self.session is None:
            unknown = sorted({s["op"] for s in steps["nodes"]} - set(OPERATORS))
            if unknown:
                raise AcceleratorError(
                    "{} uses {}, which needs onnxruntime".format(name, ", ".join(unknown))
                )
            with np.load(os.path.join(folder, name + ".npz"), allow_pickle=False) as data:
                self.constants = {key: data[key] for key in data.files}

    def run(self, arrays):
        """Outputs by position, for inputs by position."""
        if self.session is not None:
            names = [value.name for value in self.session.get_inputs()]
            return self.session.run(None, dict(zip(names, arrays)))
        values = {"": None}
        values.update(self.constants)
        values.update(zip(self.steps["inputs"], arrays))
        for node in self.steps["nodes"]:
            found = OPERATORS[node["op"]](
                *[values[name] for name in node["inputs"]], **node["attributes"]
            )
            found = found if isinstance(found, tuple) else (found,)
            values.update(zip(node["outputs"], found))
        return [values[name] for name in self.steps["outputs"]]


# ---------------------------------------------------------------------------------------------
# Ways to the hardware: registers, memory, waiting


class PynqPlatform:
    """Through pynq (2.7 to 4.0).

    Args:
        bitfile: .bit file with its .hwh beside it.
        device: a pynq Device, or None for the active one.
        download: configure the programmable logic.
    """

    def __init__(self, bitfile, base, length, clock_mhz, device=None, download=True):
        import pynq

        self.pynq, self.device = pynq, device
        self.overlay = pynq.Overlay(bitfile, download=False, device=device)
        if download:
            clocks = getattr(pynq, "Clocks", None)
            if clocks is not None and machine.machine().startswith("arm"):
                self.overlay.download()
                clocks.fclk0_mhz = clock_mhz
            else:
                pynq.Bitstream.download(self.overlay, self.overlay.parser)
        self.mmio = pynq.MMIO(base, length, device=device or self.overlay.device)

    def read(self, offset):
        return int(self.mmio.read(offset))

    def write(self, offset, value):
        self.mmio.write(offset, int(value))

    def allocate(self, size):
        buffer = self.pynq.allocate((size,), np.uint8, target=self.device)
        return PynqMemory(buffer)

    def pause(self, seconds):
        wait = getattr(self.device, "pause", time.sleep)
        wait(seconds)


class PynqMemory:
    """A buffer of pynq's."""

    def __init__(self, buffer):
        self.buffer = buffer
        self.array = np.asarray(buffer)
        self.address = int(getattr(buffer, "device_address", None) or buffer.physical_address)

    def to_device(self):
        self.buffer.flush()

    def from_device(self):
        self.buffer.invalidate()


class BarePlatform:
    """Without pynq: the kernel's fpga_manager, /dev/mem, and memory that is contiguous and not
    cached: a u-dma-buf device, or a region kept from the kernel (mem= or reserved-memory).

    Args:
        memory: (physical address, bytes) of a region kept from the kernel; by default the first
            u-dma-buf device.
    """

    SLCR, FCLK0, IO_PLL = 0xF8000000, 0x170, 0x108
    AFI0 = 0xF8008000

    def __init__(
        self, bitfile, base, length, clock_mhz, memory=None, download=True, ps_clock_mhz=50.0
    ):
        self.file = os.open("/dev/mem", os.O_RDWR | os.O_SYNC)
        if download:
            self._download(bitfile)
            self._set_clock(clock_mhz, ps_clock_mhz)
            self._set_port_width()
        self.registers = self._map(base, length).view("<u4")
        self._memory(memory)

    def _map(self, address, size):
        start = address & ~4095
        length = -(-(address - start + size) // 4096) * 4096
        view = mmap.mmap(self.file, length, offset=start)
        return np.frombuffer(view, np.uint8)[address - start : address - start + size]

    def _download(self, bitfile):
        name = "qnnc-%d.bin" % os.getpid()
        path = os.path.join("/lib/firmware", name)
        with open(path, "wb") as file:
            file.write(bit_to_bin(bitfile))
        try:
            manager = "/sys/class/fpga_manager/fpga0"
            with open(os.path.join(manager, "flags"), "w") as file:
                file.write("0")
            with open(os.path.join(manager, "firmware"), "w") as file:
                file.write(name)
            with open(os.path.join(manager, "state")) as file:
                state = file.read().strip()
            if state != "operating":
                raise AcceleratorError("the FPGA manager did not take the bitstream: " + state)
        finally:
            os.unlink(path)

    def _set_clock(self, clock_mhz, ps_clock_mhz):
        slcr = self._map(self.SLCR, 0x1000).view("<u4")
        multiplier = int(slcr[self.IO_PLL // 4]) >> 12 & 0x7F
        source = ps_clock_mhz * multiplier
        pairs = [
            (a, b)
            for a in range(1, 64)
            for b in range(1, 64)
            if source / (a * b) <= clock_mhz * 1.0001
        ]
        first, second = max(pairs, key=lambda pair: source / (pair[0] * pair[1]))
        slcr[0x008 // 4] = 0xDF0D
        slcr[self.FCLK0 // 4] = second << 20 | first << 8
        slcr[0x004 // 4] = 0x767B

    def _set_port_width(self):
        port = self._map(self.AFI0, 0x20).view("<u4")
        port[0] = int(port[0]) & ~1
        port[0x14 // 4] = int(port[0x14 // 4]) & ~1

    def _memory(self, region):
        if region is None:
            found = sorted(glob.glob("/sys/class/u-dma-buf/*"))
            if not found:
                raise AcceleratorError(
                    "without pynq the driver needs a u-dma-buf device, or memory=(address, bytes)"
                )
            with open(os.path.join(found[0], "phys_addr")) as file:
                self.next = int(file.read(), 16)
            with open(os.path.join(found[0], "size")) as file:
                size = int(file.read())
            handle = os.open("/dev/" + os.path.basename(found[0]), os.O_RDWR | os.O_SYNC)
            self.bytes = np.frombuffer(mmap.mmap(handle, size), np.uint8)
        else:
            self.next, size = region
            self.bytes = self._map(self.next, size)
        self.start, self.end = self.next, self.next + size

    def read(self, offset):
        return int(self.registers[offset // 4])

    def write(self, offset, value):
        self.registers[offset // 4] = value

    def allocate(self, size):
        address = self.next
        self.next += -(-size // 4096) * 4096
        if self.next > self.end:
            raise AcceleratorError(
                "the contiguous memory is too small; pass fewer frames= a buffer"
            )
        return BareMemory(address, self.bytes[address - self.start : address - self.start + size])

    def pause(self, seconds):
        time.sleep(seconds)


class BareMemory:
    """Memory that no cache holds."""

    def __init__(self, address, array):
        self.address, self.array = address, array

    def to_device(self):
        pass

    def from_device(self):
        pass


def bit_to_bin(bitfile):
    """What the FPGA manager takes: the payload of a .bit file, bytes of each word reversed."""
    with open(bitfile, "rb") as file:
        data = file.read()
    position = 13
    while data[position : position + 1] in (b"a", b"b", b"c", b"d"):
        position += 3 + struct.unpack_from(">H", data, position + 1)[0]
    if data[:2] != b"\x00\x09" or data[position : position + 1] != b"e":
        raise AcceleratorError(bitfile + " is no .bit file")
    payload = data[position + 5 :]
    return np.frombuffer(payload[: len(payload) // 4 * 4], ">u4").astype("<u4").tobytes()


# ---------------------------------------------------------------------------------------------


class Accelerator:
    """The network on the board.

    Args:
        folder: of the package; by default that of this file.
        platform: a way to the hardware, or None for pynq where it is installed, else the kernel.
        frames: that a buffer holds at most; by default 4 MB.
        timeout: seconds after which a run counts as stuck.
        use_numpy: True to run the host's parts in numpy although onnxruntime is there.
        options: handed on to the platform: device=, memory=, download=.

    Raises:
        AcceleratorError: package, bitstream and board do not fit.
    """

    def __init__(
        self, folder=HERE, platform=None, frames=None, timeout=10.0, use_numpy=None, **options
    ):
        with open(os.path.join(folder, "accelerator.json")) as file:
            self.description = json.load(file)
        about = self.description
        self.inputs = [Layout(stream) for stream in about["inputs"]]
        self.outputs = [Layout(stream) for stream in about["outputs"]]
        self.clock_mhz = float(about["clock_mhz"])
        self.timeout = timeout
        self.pre = HostPart(folder, "pre", about["pre"], use_numpy)
        self.post = HostPart(folder, "post", about["post"], use_numpy)
        largest = max(stream.frame_bytes for stream in self.inputs + self.outputs)
        self.frames = frames or max(1, BUFFER_BYTES // largest)
        bitfile = os.path.join(folder, about["bitfile"])
        self.platform = platform or self._platform(bitfile, options)
        self._check()
        self._slots = [self._allocate(), self._allocate()]
        self.reset()

    def _platform(self, bitfile, options):
        base, length = int(self.description["base"]), int(self.description["length"])
        try:
            import pynq  # noqa: F401
        except ImportError:
            options.setdefault("ps_clock_mhz", self.description["ps_clock_mhz"])
            return BarePlatform(bitfile, base, length, self.clock_mhz, **options)
        return PynqPlatform(bitfile, base, length, self.clock_mhz, **options)

    def _check(self):
        if self.platform.read(0) != MAGIC:
            raise AcceleratorError("no accelerator of qnnc answers; is the bitstream loaded?")
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

    def reset(self):
        """Bring the bus to rest and the accelerator into its first state, whatever it does."""
        self.platform.write(CONTROL, 2)
        self._wait(IDLE, "reset")

    def _wait(self, bit, what):
        deadline = time.monotonic() + self.timeout
        while not self.platform.read(STATUS) & bit:
            if time.monotonic() > deadline:
                raise AcceleratorError(
                    "%s did not end within %g s (%d frames done, errors: %s)"
                    % (what, self.timeout, self.platform.read(FRAMES_DONE), self._errors() or "no")
                )
            self.platform.pause(50e-6)

    def _errors(self):
        bits = self.platform.read(ERRORS)
        return "; ".join(text for i, text in enumerate(ERROR_NAMES) if bits >> i & 1)

    def start(self, frames, slot=0):
        """Start a run over frames that lie in a slot's buffers."""
        buffers = self._slots[slot]
        for stream, memory in zip(self.inputs + self.outputs, buffers):
            self.platform.write(stream.registers + ADDRESS, memory.address)
            self.platform.write(stream.registers + SIZE, memory.array.nbytes)
        self.platform.write(FRAMES, frames)
        self.platform.write(CONTROL, 1)

    def finish(self):
        """Wait for the run to end; raises AcceleratorError if it ends with an error."""
        try:
            self._wait(DONE, "the run")
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
        return {
            stream.name: (
                self.platform.read(stream.registers + STARVED),
                self.platform.read(stream.registers + BLOCKED),
            )
            for stream in self.inputs + self.outputs
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
        found = [f.astype(np.float32) for f in self.run(tensors)]
        results = self.post.run(found)
        return results[0] if len(results) == 1 else results

    def throughput(self, frames=None):
        """Frames a second over a full buffer of any contents: by the accelerator's own cycle
        counter, and by the clock on the wall with packing and unpacking."""
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
        accelerator's counter, and the median by the clock on the wall."""
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
