# SPDX-License-Identifier: Apache-2.0
"""The shell on the simulated board: data, errors, resets, whatever the bus does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from qnnc.backends.bitstream.package.hwh import hwh
from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import library
from qnnc.backends.bitstream.simulated.board import Bus
from qnnc.backends.yosys import run_script
from qnnc.compiler.board import find_board
from qnnc.compiler.errors import ToolError
from tests.support.shell import BUILD_ID, Host, compiled, engines, inverter, mixer

SHAPES = {
    "bytes": [(8, 10)],
    "narrow": [(16, 7)],
    "several": [(32, 5), (8, 3), (200, 2)],
    "wide": [(64, 16), (136, 3)],
    "ports": [(64, 16), (32, 7), (8, 10), (64, 3), (16, 7)],
}
PLACES = {"ports": (2, 0, 0, 3, 1)}
"""At which of the ports the inputs of a shape are; all at the first if it is not here."""
RELUCTANT = Bus(seed=7, latency=(1, 90), percent=55)
QUICK = Bus(seed=3, latency=(20, 20))
UNALIGNED, SHORT, OUTSIDE, READ, WRITE, BUSY, PROTOCOL, ACCESS = (1 << i for i in range(8))


class Boards(dict[str, tuple[Shell, Path, Path]]):
    """Shells of all shapes, compiled when one is asked for."""

    def __init__(self, folders: pytest.TempPathFactory, cache: Path) -> None:
        super().__init__()
        self.folders, self.cache = folders, cache

    def __missing__(self, name: str) -> tuple[Shell, Path, Path]:
        shell = inverter(SHAPES[name], PLACES.get(name))
        folder = self.folders.mktemp(name)
        engine = engines()[list(SHAPES).index(name) % len(engines())]
        self[name] = (shell, compiled(shell, folder, self.cache, engine), folder / "rtl")
        return self[name]


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Boards:
    return Boards(tmp_path_factory, cache)


@pytest.mark.parametrize("bus", [RELUCTANT, QUICK], ids=["reluctant", "quick"])
@pytest.mark.parametrize("name", SHAPES)
def test_batches_pass_back_to_back(boards: Boards, name: str, bus: Bus) -> None:
    with Host(*boards[name], bus) as host:
        assert host.get(0) == 0x514E4E43
        assert host.get(8) | host.get(12) << 32 == BUILD_ID
        for frames, shift in ((1, 0), (3, 8), (40, 120), (17, 4080), (2, 16)):
            host.run(frames, shift)
            assert host.errors == 0


def test_zero_frames_end_at_once(boards: Boards) -> None:
    with Host(*boards["bytes"], QUICK) as host:
        host.run(5)
        host.prepare(0)
        host.put(0x10, 1)
        assert host.wait(limit=3) == 0b0011
        host.expect_inverted(0)
        assert host.get(0x24) == 0
        host.run(6)


@pytest.mark.parametrize(
    ("register", "value", "error"),
    [
        (0x00, lambda host: host.buffers[0][0] + 4, UNALIGNED),
        (0x04, lambda host: 8 * 10 - 8, SHORT),
        (0x20, lambda host: host.buffers[1][0] + 1, UNALIGNED),
        (0x24, lambda host: 0, SHORT),
        (0x00, lambda host: 0x1000, OUTSIDE),
        (0x00, lambda host: 0x1FFFFFB8, OUTSIDE),
        (0x20, lambda host: 0xFFFFFFF8, OUTSIDE),
    ],
)
def test_bad_buffers_are_refused(boards: Boards, register: int, value: object, error: int) -> None:
    with Host(*boards["bytes"], QUICK) as host:
        host.prepare(8)
        host.put(0x40 + register, value(host))  # type: ignore[operator]
        host.put(0x10, 1)
        assert host.wait(limit=3) == 0b0111
        assert host.errors == error
        host.expect_inverted(0)  # nothing was written
        host.run(9)
        assert host.errors == 0


@pytest.mark.parametrize("frames", [0xFFFFFFFF, 1 << 29, 0x1999999A])
def test_frame_counts_that_overflow_are_too_many(boards: Boards, frames: int) -> None:
    """0x1999999A frames of 10 bytes are 4 bytes modulo 2**32."""
    with Host(*boards["bytes"], QUICK) as host:
        host.prepare(4)
        host.put(0x1C, frames)
        host.put(0x10, 1)
        assert host.wait(limit=3) & 0b0110 == 0b0110
        assert host.errors & SHORT
        host.expect_inverted(0)


@pytest.mark.parametrize("name", ["bytes", "several", "ports"])
def test_bus_errors_are_flagged_and_the_run_ends(boards: Boards, name: str) -> None:
    with Host(*boards[name], RELUCTANT) as host:
        for after in (0, 3):
            for fail, error in ((host.board.fail_read, READ), (host.board.fail_write, WRITE)):
                host.prepare(80)
                fail(after)
                host.put(0x10, 1)
                assert host.wait() & 0b0111 == 0b0111
                assert host.errors == error
                host.run(4)
                assert host.errors == 0


@pytest.mark.parametrize("name", ["bytes", "several", "ports"])
def test_a_memory_that_breaks_the_rules_is_flagged(boards: Boards, name: str) -> None:
    """A wrong RLAST, and beats and answers that nobody asked for: the run ends, with an error,
    and a reset brings everything back."""
    with Host(*boards[name], RELUCTANT) as host:
        board = host.board
        faults = (board.mislead, board.stray_beat, board.stray_answer, board.unasked_answer)
        for fault in faults:
            for after in (0, 1, 5):
                host.prepare(80)
                fault(after)
                host.put(0x10, 1)
                assert host.wait() & 0b0011 == 0b0011
                board.advance(500)  # for what comes too late
                assert host.errors == PROTOCOL
                host.put(0x10, 2)
                host.wait(bit=1, limit=20)
                host.run(4)
                assert host.errors == 0


@pytest.mark.parametrize("name", ["narrow", "several", "ports"])
def test_reset_at_any_moment(boards: Boards, name: str) -> None:
    """Whatever is on its way comes to its end first: the board checks AXI's rules."""
    with Host(*boards[name], Bus(seed=11, latency=(5, 60), percent=70)) as host:
        for delay in (0, 1, 2, 3, 20, 33, 34, 35, 36, 37, 38, 40, 45, 61, 90, 150, 260, 400):
            host.prepare(200)
            host.put(0x10, 1)
            if delay:
                host.board.advance(delay)
            host.put(0x10, 2)
            host.wait(bit=1)
            assert host.status == 1
            host.run(3)
            assert host.errors == 0


def test_reset_by_the_processing_system(boards: Boards) -> None:
    with Host(*boards["bytes"], QUICK) as host:
        host.prepare(200)
        host.put(0x10, 1)
        host.board.advance(100)
        host.board.reset()
        assert host.status == 1
        assert host.get(0x40) == 0
        host.run(5)


def test_starting_twice_and_other_misuse(boards: Boards) -> None:
    with Host(*boards["bytes"], QUICK) as host:
        host.prepare(60)
        host.put(0x10, 1)
        host.put(0x10, 1)
        host.put(0x1C, 1)  # ignored while it runs
        host.put(0x40, 0)
        assert host.wait() == 0b0111
        assert host.errors == BUSY
        host.expect_inverted(60)
        host.run(2)
        host.board.write(0x43C0001C, 0xFFFF, strobes=3)
        assert host.errors == ACCESS
        assert host.get(0x1C) == 2
        host.run(2)
        assert host.errors == 0
        assert host.get(0x0F00) == 0
        assert host.errors == ACCESS
        host.run(2)
        assert host.board.read(0x43C00000 + 0x10, beats=5) == host.get(0x20)


def test_addresses_of_others_do_nothing(boards: Boards) -> None:
    """A neighbour's address whose low bits are those of a register is not this register."""
    with Host(*boards["bytes"], QUICK) as host:
        host.prepare(60)
        host.put(0x10, 1)
        for address in (0x41200010, 0x43C10010, 0x43000010, 0x40000010):
            host.board.write(address, 2)  # reset, if it were ours
        assert host.wait() == 0b0111
        assert host.errors == ACCESS
        host.expect_inverted(60)
        host.run(2)
        assert host.errors == 0
        assert host.board.read(0x41200000) == 0
        assert host.errors == ACCESS
        host.run(2)
        host.board.write(0x41200014, 2)
        assert host.status == 0b0111  # done is still there


def test_no_output_of_the_register_port_depends_on_its_inputs(tmp_path: Path) -> None:
    """Not within a cycle: AXI forbids it for ready, and it would make a slow path of two."""
    name = "qnnc_axi_registers"
    text = library()[f"{name}.sv"]
    for wrong in ("", "& ~s_axi_awvalid"):  # the second must be found
        changed = text.replace("state == IDLE & reads;", f"state == IDLE & reads {wrong};")
        (tmp_path / f"{name}.sv").write_text(changed)
        script = [
            f"read_verilog -sv {name}.sv", f"prep -top {name}", "simplemap", "clean",
            "select -assert-count 0 t:$*dff* t:$_*DFF* t:$_DFF_P_ %d",
            "select -assert-none o:s_axi_* %ci*:-$_DFF_P_ i:s_axi_* %i",
        ]  # fmt: skip
        if wrong:
            with pytest.raises(ToolError, match="Assertion failed"):
                run_script(script, tmp_path, tmp_path / "log", "test")
        else:
            run_script(script, tmp_path, tmp_path / "log", "test")


def test_interrupt_follows_done(boards: Boards) -> None:
    with Host(*boards["bytes"], QUICK) as host:
        host.run(2)
        assert not host.board.interrupt
        host.put(0x10, 4)
        assert host.board.interrupt
        host.put(0x14, 2)
        host.board.advance(4)
        assert not host.board.interrupt
        assert host.status == 1


def test_throughput_of_the_dma(boards: Boards) -> None:
    """A stream of 64 bits passes 8 bytes per cycle in and out; several share the port fairly."""
    for name, bus in (("bytes", Bus(latency=(30, 30))), ("wide", Bus(latency=(30, 30)))):
        shell = boards[name][0]
        with Host(*boards[name], bus) as host:
            frames = 2000
            host.run(frames)
            bytes_ = sum(stream.frame_bytes for stream in shell.inputs) / 8
            bound = max(bytes_, *(stream.words for stream in shell.inputs))
            assert bound * frames <= host.get(0x24) < 1.05 * bound * frames + 200


@pytest.mark.parametrize(("places", "beats"), [((0, 1, 0, 1), 2), ((3, 1, 0, 2), 1)])
def test_ports_move_data_at_the_same_time(
    places: tuple[int, ...], beats: int, tmp_path: Path, cache: Path
) -> None:
    """Words of 8 bytes from four streams make one: a cycle each for those of the same port, or
    two for all if memory moves 20 bytes per cycle of these 40."""
    shell = mixer(16, places)
    program = compiled(shell, tmp_path, cache, engines()[-1])
    frames, late = 100, Bus(latency=(20, 20))
    for bus, least in (
        (late, beats),
        (replace(late, rate=20.0), 2),
        (Bus(seed=5, latency=(1, 90), percent=55), beats),
    ):
        with Host(shell, program, tmp_path / "rtl", bus) as host:
            host.prepare(frames)
            host.put(0x10, 1)
            assert host.wait() == 0b0011
            *given, answer = (data[: 128 * frames] for _, data in host.buffers)
            assert np.array_equal(answer, np.bitwise_xor.reduce(given))
            cycles, bound = host.get(0x24), least * 16 * frames
            assert bound <= cycles
            assert cycles < 1.1 * bound + 200 or bus.percent < 100


def test_one_port_and_several_in_the_sources() -> None:
    """Without weights from memory there is one port, HP0; others follow in their order and tie
    their writing off."""
    one = inverter(SHAPES["several"])
    assert [port.name for port in one.ports] == ["HP0"]
    assert "hp2" not in one.text and "HP2" not in one.top_sources["qnnc_top.sv"]
    shell = inverter(SHAPES["ports"], PLACES["ports"])
    assert [port.bus for port in shell.ports] == ["hp", "hp2", "hp1", "hp3"]
    assert [port.readers for port in shell.ports] == [2, 1, 1, 1]
    top = shell.top_sources["qnnc_top.sv"]
    for port in shell.ports:
        assert f".SAXI{port.name}ARVALID({port.bus}_arvalid)" in top
        assert f".SAXI{port.name}AWVALID({port.bus}_awvalid)" in top
        assert (f"assign {port.bus}_awvalid = 1'b0;" in shell.text) == (port.number != 0)


@pytest.mark.parametrize("name", ["bytes", "ports"])
def test_the_hwh_names_the_ports_in_use(name: str) -> None:
    shell = inverter(SHAPES[name], PLACES.get(name))
    root = ElementTree.fromstring(hwh(shell, find_board("Pynq-Z1"), 100.0, "x"))
    parameters = {e.get("NAME"): e.get("VALUE") for e in root.iter("PARAMETER")}
    for number in range(4):
        used = name == "ports" or number == 0
        assert parameters.get(f"PCW_USE_S_AXI_HP{number}", "0") == str(int(used))
        assert parameters.get(f"PCW_S_AXI_HP{number}_DATA_WIDTH") == ("64" if used else None)


def test_counters_of_stalls(boards: Boards) -> None:
    with Host(*boards["bytes"], Bus(latency=(200, 200))) as host:
        host.run(3)
        # the first word comes 200 cycles after it was asked for, and then all come at once
        assert 200 <= host.get(0x4C) < 220
        assert 200 <= host.get(0x6C) < 230
        assert host.get(0x24) > 400
