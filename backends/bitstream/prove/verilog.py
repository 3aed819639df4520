# SPDX-License-Identifier: Apache-2.0
"""The netlist of the bits as SystemVerilog with the shell's ports, for the simulated board."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qnnc.backends.bitstream.prove.cells import ONE, ZERO, Cell, Extraction, Net
from qnnc.backends.bitstream.shell import Shell

_PORT = re.compile(r"(input|output)\s+wire\s*(?:\[\s*(\d+):0\])?\s*(\w+)")
_FIXED = {"aclk": "FCLKCLK", "resetn": "FCLKRESETN", "irq": "IRQF2P"}


def processor_pin(port: str) -> str:
    """The processing system's pin that a port of the shell connects to, without its number."""
    if port in _FIXED:
        return _FIXED[port]
    bus, _, signal = port.partition("_")
    owner = "MAXIGP0" if bus == "gp" else f"SAXIHP{bus[2:] or '0'}"
    return f"{owner}{signal.upper()}"


def write_verilog(design: Extraction, shell: Shell) -> str:
    """A module in the place of the shell.

    Args:
        shell: gives the ports.
    """
    head = shell.text.partition(");")[0] + ");"
    ports = [(way, int(high or 0) + 1, name) for way, high, name in _PORT.findall(head)]
    names = _Names()
    driven: list[tuple[str, str]] = []
    for way, width, port in ports:
        pin = processor_pin(port)
        for index in range(width):
            at = port if width == 1 else f"{port}[{index}]"
            full = pin if width == 1 and port not in _FIXED else f"{pin}{index}"
            if way == "input":
                names.known[f"PS7.{full}"] = at
            else:
                driven.append((at, full))
    body = [f"assign {at} = {names.of(design.outputs.get(pin, ONE))};" for at, pin in driven]
    for cell in design.cells.values():
        body += _WRITERS[cell.kind](cell, names)
    text = ["// read back from a bitstream", "`default_nettype none", head]
    return "\n".join([*text, *names.declared(), *body, "endmodule", ""])


class _Names:
    """Plain identifiers for nets."""

    def __init__(self) -> None:
        self.known: dict[Net, str] = {ZERO: "1'b0", ONE: "1'b1"}
        self.registers: set[str] = set()
        self.wires: list[str] = []

    def of(self, net: Net) -> str:
        """The identifier of a net."""
        if net not in self.known:
            self.known[net] = f"n{len(self.known)}"
            self.wires.append(self.known[net])
        return self.known[net]

    def pin(self, cell: Cell, pin: str) -> str:
        """What a cell's input reads."""
        return self.of(cell.pins.get(pin, ONE))

    def bus(self, cell: Cell, pins: Iterable[str]) -> str:
        """Several inputs, the highest first."""
        return "{" + ", ".join(self.pin(cell, pin) for pin in pins) + "}"

    def declared(self) -> list[str]:
        """Wires, without those that are registers."""
        return [f"wire {name};" for name in self.wires if name not in self.registers]


def _clock(cell: Cell, names: _Names) -> str:
    edge = "negedge" if cell.settings.get("INVERTED") else "posedge"
    return f"{edge} {names.pin(cell, 'C')}"


def _lut(cell: Cell, names: _Names) -> list[str]:
    size = int(cell.settings["SIZE"])
    address = names.bus(cell, (f"A{i}" for i in range(size, 0, -1)))
    table = f"{1 << size}'h{int(cell.settings['INIT']):x}"
    out = names.of(f"{cell.name}.O")
    return [f"localparam [{(1 << size) - 1}:0] t_{out} = {table};",
            f"assign {out} = t_{out}[{address}];"]  # fmt: skip


def _mux(cell: Cell, names: _Names) -> list[str]:
    s, low, high = (names.pin(cell, pin) for pin in ("S", "I0", "I1"))
    return [f"assign {names.of(cell.name + '.O')} = {s} ? {high} : {low};"]


def _carry(cell: Cell, names: _Names) -> list[str]:
    s, di, ci = (names.pin(cell, pin) for pin in ("S", "DI", "CI"))
    return [
        f"assign {names.of(cell.name + '.O')} = {s} ^ {ci};",
        f"assign {names.of(cell.name + '.CO')} = {s} ? {ci} : {di};",
    ]


def _flip_flop(cell: Cell, names: _Names) -> list[str]:
    q = names.of(f"{cell.name}.Q")
    names.registers.add(q)
    d, ce, sr = (names.pin(cell, pin) for pin in ("D", "CE", "SR"))
    value, clock = f"1'b{cell.settings['SRVAL']}", _clock(cell, names)
    if not cell.settings["SYNC"]:
        clock += f" or posedge {sr}" if sr not in ("1'b0", "1'b1") else ""
    return [f"reg {q} = 1'b{cell.settings['INIT']};",
            f"always @({clock}) if ({sr}) {q} <= {value}; else if ({ce}) {q} <= {d};"]  # fmt: skip


def _ram(cell: Cell, names: _Names) -> list[str]:
    size, out = int(cell.settings["SIZE"]), names.of(f"{cell.name}.O")
    at = names.bus(cell, (f"A{i}" for i in reversed(range(size))))
    to = names.bus(cell, (f"W{i}" for i in reversed(range(size))))
    return [
        f"reg [{(1 << size) - 1}:0] m_{out} = {1 << size}'h{int(cell.settings['INIT']):x};",
        f"always @({_clock(cell, names)}) if ({names.pin(cell, 'WE')}) "
        f"m_{out}[{to}] <= {names.pin(cell, 'D')};",
        f"assign {out} = m_{out}[{at}];",
    ]


def _shift(cell: Cell, names: _Names) -> list[str]:
    size, out = int(cell.settings["SIZE"]), names.of(f"{cell.name}.O")
    at, top = names.bus(cell, (f"A{i}" for i in reversed(range(size)))), (1 << size) - 1
    return [
        f"reg [{top}:0] m_{out} = {top + 1}'h{int(cell.settings['INIT']):x};",
        f"always @({_clock(cell, names)}) if ({names.pin(cell, 'WE')}) "
        f"m_{out} <= {{m_{out}[{top - 1}:0], {names.pin(cell, 'D')}}};",
        f"assign {out} = m_{out}[{at}];",
        f"assign {names.of(cell.name + '.END')} = m_{out}[{top}];",
    ]


_PORTS = (
    ("A", "ADDRARDADDR", "CLKARDCLK", "ENARDEN", "REGCEAREGCE", "RSTRAMARSTRAM", "RSTREGARSTREG",
     "WEA", "DIADI", "DIPADIP", "DOADO", "DOPADOP"),
    ("B", "ADDRBWRADDR", "CLKBWRCLK", "ENBWREN", "REGCEB", "RSTRAMB", "RSTREGB",
     "WEBWE", "DIBDI", "DIPBDIP", "DOBDO", "DOPBDOP"),
)  # fmt: skip


def _block(cell: Cell, names: _Names) -> list[str]:
    """A RAMB18E1 of two true ports (UG473, chapter 1)."""
    base = f"b{len(names.registers)}"
    names.registers.add(base)
    setting = cell.settings

    def one(pin: str) -> str:
        turned = "~" if f"INVERTED_{pin}" in setting else ""
        return turned + names.pin(cell, pin)

    lines = [
        f"reg [16383:0] {base}_d = 16384'h{int(setting['DATA']):x};",
        f"reg [2047:0] {base}_p = 2048'h{int(setting['PARITY']):x};",
    ]
    for port, address, clock, enable, regce, reset, reset_reg, we, di, dip, do, dop in _PORTS:
        at = names.bus(cell, (f"{address}{i}" for i in reversed(range(14))))
        low, reg = f"{base}_{port}", f"{base}_{port}r"
        a = f"{base}_{port}a"
        lines += [f"wire [13:0] {a} = {at};"]
        lines += [f"reg [17:0] {low} = 18'h{int(setting[f'INIT_{port}']):x};"]
        lines += [f"reg [17:0] {reg} = 18'h{int(setting[f'INIT_{port}']):x};"]
        srval = f"18'h{int(setting[f'SRVAL_{port}']):x}"
        read = _word(base, a, int(setting[f"READ_WIDTH_{port}"]))
        width = int(setting[f"WRITE_WIDTH_{port}"])
        writes = _writes(base, a, width, names, cell, (we, di, dip))
        edge = "negedge" if f"INVERTED_{clock}" in setting else "posedge"
        mode = setting[f"WRITE_MODE_{port}"]
        looked = f"if ({one(reset)}) {low} <= {srval}; else {low} <= {read};"
        if mode != "READ_FIRST" and writes:
            any_write = " | ".join(names.pin(cell, f"{we}{i}") for i in range(2))
            looked = f"if (!({any_write})) begin {looked} end" if mode == "NO_CHANGE" else looked
        lines += [
            f"always @({edge} {names.pin(cell, clock)}) begin",
            f"  if ({one(enable)}) begin {looked} {writes} end",
            f"  if ({one(reset_reg)}) {reg} <= {srval}; else if ({names.pin(cell, regce)}) "
            f"{reg} <= {low};",
            "end",
        ]
        shown = reg if setting[f"DO{port}_REG"] else low
        for i in range(16):
            lines.append(f"assign {names.of(f'{cell.name}.{do}{i}')} = {shown}[{i}];")
        for i in range(2):
            lines.append(f"assign {names.of(f'{cell.name}.{dop}{i}')} = {shown}[{16 + i}];")
    return lines


def _word(base: str, at: str, width: int) -> str:
    d, p = f"{base}_d", f"{base}_p"
    if width == 18:
        return f"{{{p}[{{{at}[13:4], 1'b0}}+:2], {d}[{{{at}[13:4], 4'd0}}+:16]}}"
    if width == 9:
        return f"{{1'b0, {p}[{at}[13:3]], 8'd0, {d}[{{{at}[13:3], 3'd0}}+:8]}}"
    shift = {4: 2, 2: 1, 1: 0}[width]
    low = f", {shift}'d0" if shift else ""
    return f"{{{18 - width}'d0, {d}[{{{at}[13:{shift}]{low}}}+:{width}]}}"


def _writes(
    base: str, at: str, width: int, names: _Names, cell: Cell, pins: tuple[str, str, str]
) -> str:
    we, di, dip = pins
    enables = [names.pin(cell, f"{we}{i}") for i in range(2)]
    if all(e == "1'b0" for e in enables):
        return ""
    result = ""
    step = min(width, 9)
    bits = 8 if step == 9 else step
    for byte in range(2 if width == 18 else 1):
        data = names.bus(cell, (f"{di}{i}" for i in reversed(range(8 * byte, 8 * byte + bits))))
        to = f"{{{at}[13:4], 4'd{8 * byte}}}" if width == 18 else at
        result += f"if ({enables[byte]}) begin {base}_d[{to}+:{bits}] <= {data};"
        if step == 9:
            to = f"{{{at}[13:4], 1'd{byte}}}" if width == 18 else f"{at}[13:3]"
            result += f" {base}_p[{to}] <= {names.pin(cell, f'{dip}{byte}')};"
        result += " end "
    return result


_WRITERS = {
    "LUT": _lut, "MUX": _mux, "CARRY": _carry, "FF": _flip_flop, "RAM": _ram, "SRL": _shift,
    "RAMB18": _block,
}  # fmt: skip
