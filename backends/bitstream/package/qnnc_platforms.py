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
    AFI = (0xF8008000, 0xF8009000, 0xF800A000, 0xF800B000)  # of HP0 to HP3

    def __init__(
        self, bitfile, base, length, clock_mhz, memory=None, download=True, ps_clock_mhz=50.0
    ):
        self.file = os.open("/dev/mem", os.O_RDWR | os.O_SYNC)
        if download:
            self._download(bitfile)
            self._set_clock(clock_mhz, ps_clock_mhz)
            self._set_port_widths()
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

    def _set_port_widths(self):
        """Let all ports to memory be 64 bits wide, for reads and for writes."""
        for address in self.AFI:
            port = self._map(address, 0x20).view("<u4")
            for register in (0x00, 0x14):
                port[register // 4] = int(port[register // 4]) & ~1

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
