# SPDX-License-Identifier: Apache-2.0
"""Settings of the Zynq's processing system that the accelerator rests on: its clock, and the width
of the ports to memory. They are set the same way with pynq and without it.

Registers: UG585, appendix B, modules slcr and axi_hp.
"""

from qnnc_errors import AcceleratorError

SLCR, SLCR_LENGTH = 0xF8000000, 0x1000
LOCK, UNLOCK = (0x004, 0x767B), (0x008, 0xDF0D)
ARM_PLL, DDR_PLL, IO_PLL = 0x100, 0x104, 0x108
FCLK0 = 0x170
AFI = (0xF8008000, 0xF8009000, 0xF800A000, 0xF800B000)  # of HP0 to HP3
AFI_LENGTH = 0x1000
READ_WIDTH, WRITE_WIDTH = 0x00, 0x14
LARGEST_DIVISOR = 63


class ProcessingSystem:
    """The registers, by a function that maps them.

    Args:
        registers: called with a physical address and a length, it gives an object with
            read(offset) and write(offset, value) for 32-bit registers.
        ps_clock_mhz: the board's crystal.
    """

    def __init__(self, registers, ps_clock_mhz):
        self.registers, self.ps_clock_mhz = registers, ps_clock_mhz
        self.slcr = registers(SLCR, SLCR_LENGTH)

    def _source_mhz(self):
        """Frequency of the PLL that FCLK0 is divided from."""
        select = self.slcr.read(FCLK0) >> 4 & 3
        pll = {2: ARM_PLL, 3: DDR_PLL}.get(select, IO_PLL)
        return self.ps_clock_mhz * (self.slcr.read(pll) >> 12 & 0x7F)

    def clock_mhz(self):
        """The clock that FCLK0 has now."""
        control = self.slcr.read(FCLK0)
        first, second = control >> 8 & 63, control >> 20 & 63
        return self._source_mhz() / (max(first, 1) * max(second, 1))

    def set_clock(self, limit_mhz):
        """Set FCLK0 to the highest clock that does not exceed a limit; returns it.

        Raises:
            AcceleratorError: there is none, or the register does not keep it.
        """
        source = self._source_mhz()
        limit = limit_mhz * (1 + 1e-6)  # crystals are written with few digits: 33.333333 MHz
        pairs = [
            (source / (a * b), a, b)
            for a in range(1, LARGEST_DIVISOR + 1)
            for b in range(1, a + 1)
            if source / (a * b) <= limit
        ]
        if not pairs:
            raise AcceleratorError(
                "FCLK0 cannot be set to %g MHz or less from a PLL of %g MHz" % (limit_mhz, source)
            )
        _, first, second = max(pairs)
        kept = self.slcr.read(FCLK0) & ~(63 << 8 | 63 << 20)
        self.slcr.write(*UNLOCK)
        self.slcr.write(FCLK0, kept | second << 20 | first << 8)
        self.slcr.write(*LOCK)
        self.check_clock(limit_mhz)
        return self.clock_mhz()

    def check_clock(self, limit_mhz):
        """Raise AcceleratorError if FCLK0 is faster than what the design was timed for."""
        found = self.clock_mhz()
        if found > limit_mhz * (1 + 1e-6):
            raise AcceleratorError(
                "FCLK0 is %g MHz, the accelerator was timed for %g MHz" % (found, limit_mhz)
            )

    def set_port_widths(self):
        """Let all ports to memory be 64 bits wide, for reads and for writes."""
        for address in AFI:
            port = self.registers(address, AFI_LENGTH)
            for register in (READ_WIDTH, WRITE_WIDTH):
                port.write(register, port.read(register) & ~1)
