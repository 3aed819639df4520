# SPDX-License-Identifier: Apache-2.0
"""Ways to the hardware, with pynq and without: registers, memory, waiting."""

import glob
import mmap
import os
import platform as machine
import struct
import time

import numpy as np
from qnnc_errors import AcceleratorError
from qnnc_zynq import ProcessingSystem


class PynqPlatform:
    """Through pynq (2.7 to 4.0).

    Args:
        bitfile: .bit file with its .hwh beside it.
        clock_mhz: that the accelerator was timed for; it never runs faster.
        device: a pynq Device, or None for the active one.
        download: configure the programmable logic.
        ps_clock_mhz: the board's crystal.
    """

    clock_mhz = None

    def __init__(
        self, bitfile, base, length, clock_mhz, device=None, download=True, ps_clock_mhz=50.0
    ):
        import pynq

        self.pynq, self.device = pynq, device
        self.overlay = pynq.Overlay(bitfile, download=False, device=device)
        on_board = machine.machine().startswith("arm")
        if download and on_board:
            self.overlay.download()
        elif download:
            pynq.Bitstream.download(self.overlay, self.overlay.parser)
        if on_board:
            # not by pynq.Clocks, which takes the nearest clock, above or below
            system = ProcessingSystem(pynq.MMIO, ps_clock_mhz)
            self.clock_mhz = settle(system, clock_mhz, download)
        self.mmio = pynq.MMIO(base, length, device=device or self.overlay.device)

    def read(self, offset):
        return int(self.mmio.read(offset))

    def write(self, offset, value):
        self.mmio.write(offset, int(value))

    def allocate(self, size):
        buffer = self.pynq.allocate((size,), np.uint8, target=self.device)
        return PynqMemory(buffer)

    def pause(self, seconds):
        getattr(self.device, "pause", time.sleep)(seconds)

    def now(self):
        return getattr(self.device, "now", time.monotonic)()


def settle(system, clock_mhz, download):
    """Bring the processing system to what the accelerator needs; returns its clock in MHz. Without
    a download somebody else has set the clock, and it is only checked."""
    system.set_port_widths()
    if download:
        return system.set_clock(clock_mhz)
    system.check_clock(clock_mhz)
    return system.clock_mhz()


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

    def __init__(
        self, bitfile, base, length, clock_mhz, memory=None, download=True, ps_clock_mhz=50.0
    ):
        self.file = os.open("/dev/mem", os.O_RDWR | os.O_SYNC)
        if download:
            self._download(bitfile)
        self.system = ProcessingSystem(self._registers, ps_clock_mhz)
        self.clock_mhz = settle(self.system, clock_mhz, download)
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

    def _registers(self, address, length):
        return Registers(self._map(address, length).view("<u4"))

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
                "the contiguous memory is too small; pass fewer frames= per buffer"
            )
        return BareMemory(address, self.bytes[address - self.start : address - self.start + size])

    def pause(self, seconds):
        time.sleep(seconds)

    def now(self):
        return time.monotonic()


class Registers:
    """32-bit registers in mapped memory, as pynq.MMIO gives them."""

    def __init__(self, words):
        self.words = words

    def read(self, offset):
        return int(self.words[offset // 4])

    def write(self, offset, value):
        self.words[offset // 4] = value


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
        raise AcceleratorError(bitfile + " is not a .bit file")
    payload = data[position + 5 :]
    return np.frombuffer(payload[: len(payload) // 4 * 4], ">u4").astype("<u4").tobytes()
