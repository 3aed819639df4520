# SPDX-License-Identifier: Apache-2.0
"""The clock on the board is never faster than the one that was timed, on either way to set it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qnnc.backends.bitstream.package import pace
from qnnc.backends.bitstream.simulated.platform import load_driver
from qnnc.compiler.board import all_boards, find_board
from qnnc.compiler.clock import divisors, fabric_clock, highest_clock
from qnnc.compiler.errors import OptionError
from tests.support.build import qnnc

PACKAGE = Path(pace.__file__).parent
SLCR, FCLK0, IO_PLL = 0xF8000000, 0x170, 0x108
ASKED = [round(50 + 0.1 * i, 1) for i in range(2001)]
"""Every tenth of a megahertz from 50 to 250."""
CRYSTALS = {50.0: 20, 33.333333: 30}
"""MHz, and what the boot loader multiplies them by: the IO PLL runs at 1,000 MHz."""


@pytest.fixture(scope="module")
def driver() -> ModuleType:
    return load_driver(PACKAGE)


@pytest.fixture
def memory(tmp_path: Path, driver: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that stands for /dev/mem, registers at their addresses; only what is touched of it
    takes room."""
    file = tmp_path / "mem"
    with file.open("wb") as out:
        out.truncate(1 << 32)
    real = os.open
    fake = SimpleNamespace(**{name: getattr(os, name) for name in dir(os)})
    fake.open = lambda name, flags: real(file if name == "/dev/mem" else name, flags)
    monkeypatch.setitem(driver.BarePlatform.__init__.__globals__, "os", fake)
    monkeypatch.setattr(driver.BarePlatform, "_download", lambda *_: None)
    yield file


def start_up(file: Path, multiplier: int, divisor: int) -> None:
    """What the boot loader leaves: the PLL running, FCLK0 at some clock."""
    registers = np.memmap(file, "<u4", "r+", SLCR, (1024,))
    registers[IO_PLL // 4] = multiplier << 12
    registers[FCLK0 // 4] = 1 << 20 | divisor << 8


def clock_of(file: Path, crystal: float) -> float:
    """FCLK0 by its registers (UG585), read without the driver's code."""
    registers = np.memmap(file, "<u4", "r", SLCR, (1024,))
    control = int(registers[FCLK0 // 4])
    pll = crystal * (int(registers[IO_PLL // 4]) >> 12 & 127)
    return pll / (control >> 8 & 63) / (control >> 20 & 63)


def bare(driver: ModuleType, clock: float, crystal: float, **options: Any) -> Any:
    return driver.BarePlatform(
        "x.bit", 0x43C00000, 4096, clock, memory=(0x100000, 1 << 16), ps_clock_mhz=crystal,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_without_pynq(driver: ModuleType, memory: Path, crystal: float) -> None:
    for asked in ASKED[::20]:
        start_up(memory, CRYSTALS[crystal], 4)
        platform = bare(driver, asked, crystal)
        assert 0.8 * asked < clock_of(memory, crystal) <= asked * (1 + 1e-6)
        assert platform.clock_mhz == pytest.approx(clock_of(memory, crystal), rel=1e-12)


@pytest.mark.parametrize("crystal", CRYSTALS)
def test_every_clock(driver: ModuleType, memory: Path, crystal: float) -> None:
    """The driver's rule alone, at each clock; and what the compiler offers is what it sets."""
    start_up(memory, CRYSTALS[crystal], 4)
    system = bare(driver, 100.0, crystal).system
    for asked in ASKED:
        system.set_clock(asked)
        assert clock_of(memory, crystal) <= asked * (1 + 1e-6)
        try:
            timed = fabric_clock(1000.0, asked)
        except OptionError as error:
            low, high = map(float, re.findall(r"--clock-mhz ([\d.]+)", str(error)))
            assert low < asked < high
            assert fabric_clock(1000.0, low) == pytest.approx(clock_of(memory, crystal), rel=1e-6)
            continue
        system.set_clock(timed)
        assert clock_of(memory, crystal) == pytest.approx(timed, rel=1e-6)


def test_a_faster_clock_than_the_timed_one_is_refused(driver: ModuleType, memory: Path) -> None:
    start_up(memory, 20, 6)  # 166.7 MHz, and nobody has asked the driver to set it
    with pytest.raises(driver.AcceleratorError, match=r"166\.667 MHz, the accelerator was timed"):
        bare(driver, 125.0, 50.0, download=False)
    assert bare(driver, 200.0, 50.0, download=False).clock_mhz == pytest.approx(1000 / 6)


def test_ports_to_memory_are_64_bits_wide(driver: ModuleType, memory: Path) -> None:
    start_up(memory, 20, 10)
    for port in range(4):
        registers = np.memmap(memory, "<u4", "r+", 0xF8008000 + 0x1000 * port, (8,))
        registers[0], registers[5] = 0xF01, 0xF01
    bare(driver, 100.0, 50.0, download=False)
    for port in range(4):
        registers = np.memmap(memory, "<u4", "r", 0xF8008000 + 0x1000 * port, (8,))
        assert (registers[0], registers[5]) == (0xF00, 0xF00)


class Pynq:
    """What the driver uses of pynq, over the registers in a file. Clocks are set by pynq's own
    code, as its `Overlay.download` does: up to 3.0 by the divisors in the .hwh file, in 4.0 by the
    frequency."""

    def __init__(self, file: Path, crystal: float, clock: float, by_frequency: bool) -> None:
        from pynq.ps import ZYNQ_SLCR_REGISTERS, _ClocksZynq
        from pynq.registers import RegisterMap

        self.file = file
        clocks = _ClocksZynq.__new__(_ClocksZynq)
        clocks._ref_clk_mhz = crystal
        slcr = np.memmap(file, "<u4", "r+", SLCR, (128,))
        registers = RegisterMap.create_subclass("Slcr", ZYNQ_SLCR_REGISTERS)(slcr)
        clocks.PL_CLK_CTRLS = [registers.FPGA0_CLK_CTRL]
        clocks.PL_SRC_PLL_CTRLS = [registers.IO_PLL_CTRL] * 2
        self.clocks, self.clock, self.by_frequency = clocks, clock, by_frequency

    def Overlay(self, bitfile: str, download: bool, device: object) -> Any:
        return SimpleNamespace(download=self.download, device=device)

    def download(self) -> None:
        if self.by_frequency:
            self.clocks.set_pl_clk(0, clk_mhz=self.clock)
        else:
            self.clocks.set_pl_clk(0, *divisors(1000.0, self.clock))

    def MMIO(self, address: int, length: int, device: object = None) -> Any:
        words = np.memmap(self.file, "<u4", "r+", address, (length // 4,))
        return SimpleNamespace(
            read=lambda offset: int(words[offset // 4]),
            write=lambda offset, value: words.__setitem__(offset // 4, value),
        )


@pytest.mark.parametrize("by_frequency", [False, True])
def test_through_pynq(
    driver: ModuleType, memory: Path, monkeypatch: pytest.MonkeyPatch, by_frequency: bool
) -> None:
    pytest.importorskip("pynq", reason="pynq is not installed", exc_type=ImportError)
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    offered = sorted({clock for asked in ASKED for clock in _offered(asked)})
    assert offered == pytest.approx([1000 / n for n in range(20, 3, -1)])
    for clock in offered:
        start_up(memory, 20, 4)
        pynq = Pynq(memory, 50.0, clock, by_frequency)
        pynq.download()
        assert clock_of(memory, 50.0) == pytest.approx(clock)  # from pynq's first setting on
        monkeypatch.setitem(sys.modules, "pynq", pynq)
        platform = driver.PynqPlatform("x.bit", 0x43C00000, 4096, clock)
        assert platform.clock_mhz == pytest.approx(clock)
        assert clock_of(memory, 50.0) == pytest.approx(clock)


def test_pynq_alone_would_go_faster(memory: Path) -> None:
    """The witness can see the fault: asked for 97 MHz, pynq's own code sets 100."""
    pytest.importorskip("pynq", reason="pynq is not installed", exc_type=ImportError)
    start_up(memory, 20, 4)
    Pynq(memory, 50.0, 97.0, True).download()
    assert clock_of(memory, 50.0) == pytest.approx(100.0)


def _offered(asked: float) -> list[float]:
    try:
        return [fabric_clock(1000.0, asked)]
    except OptionError:
        return []


@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.name)
def test_boards_start_at_a_clock_that_they_have(board: Any) -> None:
    assert board.clock() == pytest.approx(board.clock_mhz, rel=1e-3)
    first, second = divisors(board.pll_mhz, board.clock())
    assert 1 <= first <= 63 and 1 <= second <= 63
    assert board.pll_mhz / first / second == pytest.approx(board.clock(), rel=1e-12)


def test_the_highest_clock_below_a_limit() -> None:
    for limit in np.linspace(0.3, 300, 3000):
        expected = max(
            1000 / (a * b)
            for a in range(1, 64)
            for b in range(1, 64)
            if 1000 / (a * b) <= min(limit, 250)
        )
        assert highest_clock(1000.0, float(limit)) == pytest.approx(expected)
    assert highest_clock(1000.0, 0.2) is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("97", "use --clock-mhz 90.9091 or --clock-mhz 100"),
        ("240", "use --clock-mhz 200 or --clock-mhz 250"),
        ("251", "at most 250"),
        ("1e308", "at most 250"),
    ],
)
def test_other_clocks_are_refused(tmp_path: Path, asked: str, message: str) -> None:
    done = qnnc(["build", "no.onnx", "--out", tmp_path / "o", "--clock-mhz", asked])
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_a_rounded_clock_is_the_exact_one() -> None:
    board = find_board("Pynq-Z1")
    assert board.clock(90.9) == 1000 / 11
    assert board.clock(166.7) == 1000 / 6
    assert board.clock(None) == 100
