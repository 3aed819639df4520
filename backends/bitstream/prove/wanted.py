# SPDX-License-Identifier: Apache-2.0
"""The netlist that place and route was given, as terms and records of state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from qnnc.backends.bitstream.prove.terms import Term, Terms
from qnnc.compiler.errors import VerificationError

Record = dict[str, Term | int | str]
"""What a state element does: its kind, settings, and terms of its inputs. A setting that may be
anything is `Terms.any`."""

_FLIP_FLOPS = {  # reset pin, its value, synchronous
    "FDRE": ("R", 0, 1), "FDSE": ("S", 1, 1), "FDCE": ("CLR", 0, 0), "FDPE": ("PRE", 1, 0),
}  # fmt: skip
STATE = (*_FLIP_FLOPS, "RAM64M", "RAM32M", "RAM64X1D", "RAM32X1D", "SRL16E", "SRLC32E", "RAMB18E1")
_LOGIC = {*(f"LUT{i}" for i in range(1, 7)), "INV", "BUFG", "MUXF7", "MUXF8", "CARRY4", "PS7"}


def unreadable(module: Mapping[str, Any]) -> list[str]:
    """Kinds of cells of a netlist that cannot be read back from bits, with how many there are."""
    counts: Counter[str] = Counter()
    for cell in module["cells"].values():
        kind = str(cell["type"])
        if kind == "RAMB18E1" and _text(cell["parameters"].get("RAM_MODE", "TDP")) != "TDP":
            kind = "RAMB18E1 of simple dual port"
        if kind not in _LOGIC and kind not in STATE:
            counts[kind] += 1
    return [f"{count} {kind}" for kind, count in sorted(counts.items())]


class Wanted:
    """A flat netlist of Xilinx cells, in Yosys' JSON.

    Args:
        module: of the JSON.
        cut: nets that are referred to by name; others are written out.
    """

    def __init__(self, module: Mapping[str, Any], terms: Terms, cut: set[Any]) -> None:
        self.cells: Mapping[str, Any] = module["cells"]
        self.terms, self.cut = terms, cut
        self.drivers: dict[Any, tuple[str, str, int]] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                if cell["port_directions"].get(port) == "output":
                    for index, bit in enumerate(bits):
                        self.drivers[bit] = name, port, index
        self._defined: dict[Any, Term] = {}

    def pin(self, cell: Mapping[str, Any], port: str, index: int = 0, default: str = "0") -> Term:
        """The value at an input pin."""
        bits = cell["connections"].get(port, [])
        return self.ref(bits[index] if index < len(bits) else default)

    def ref(self, bit: Any) -> Term:
        """A bit where it is read."""
        if bit in ("0", "1"):
            return self.terms.one if bit == "1" else self.terms.zero
        if bit in ("x", "z"):
            return self.terms.any
        if bit not in self.cut:
            return self.define(bit)
        if not self.is_state(bit):
            found = self.define(bit)
            if self.terms.constant(found) is not None:
                return found
        return self.terms.net(bit)

    def is_state(self, bit: Any) -> bool:
        """The bit comes out of a state element."""
        name, _, _ = self.drivers.get(bit, ("", "", 0))
        return bool(name) and self.cells[name]["type"] in STATE

    def define(self, bit: Any) -> Term:
        """A bit as what drives it."""
        if bit not in self._defined:
            self._defined[bit] = self._define(bit)
        return self._defined[bit]

    def _define(self, bit: Any) -> Term:
        if bit not in self.drivers:
            return self.terms.any
        name, port, index = self.drivers[bit]
        cell = self.cells[name]
        kind = cell["type"]
        if kind.startswith("LUT") and kind[3:].isdigit():
            size = int(kind[3:])
            table = int(_binary(cell["parameters"]["INIT"]), 2)
            return self.terms.lut(table, [self.pin(cell, f"I{i}") for i in range(size)])
        if kind == "INV":
            return self.terms.lut(0b01, [self.pin(cell, "I")])
        if kind == "BUFG":
            return self.pin(cell, "I")
        if kind in ("MUXF7", "MUXF8"):
            return self.terms.mux(self.pin(cell, "S"), self.pin(cell, "I0"), self.pin(cell, "I1"))
        if kind == "CARRY4":
            return self._carry(cell, port, index)
        if kind == "PS7":
            return self.terms.net(bit)
        if kind in STATE and kind not in _FLIP_FLOPS:
            return element(self.terms, self.record(bit))
        return self.terms.net(bit)  # the bits have no such net: whatever reads it will differ

    def _carry(self, cell: Mapping[str, Any], port: str, index: int) -> Term:
        if index:
            before = cell["connections"]["CO"][index - 1]
            carry = self.ref(before) if before in self.cut else self._carry(cell, "CO", index - 1)
        else:
            carry = self.pin(cell, "CI")
            if carry == self.terms.zero:
                carry = self.pin(cell, "CYINIT")
        propagate = self.pin(cell, "S", index)
        if port == "O":
            return self.terms.sum(propagate, carry)
        return self.terms.mux(propagate, self.pin(cell, "DI", index), carry)

    def record(self, bit: Any) -> Record:
        """The state element that drives a bit."""
        name, port, index = self.drivers[bit]
        cell = self.cells[name]
        kind = cell["type"]
        if kind in _FLIP_FLOPS:
            reset, value, synchronous = _FLIP_FLOPS[kind]
            init = _binary(cell["parameters"].get("INIT", "x"))[-1]
            return {
                "kind": "FF", "SRVAL": value, "SYNC": synchronous, "INVERTED": 0,
                "INIT": self.terms.any if init in "xz" else int(init),
                "D": self.pin(cell, "D"), "CE": self.pin(cell, "CE", default="1"),
                "SR": self.pin(cell, reset), "C": self.pin(cell, "C"),
            }  # fmt: skip
        if kind.startswith("RAM") and kind != "RAMB18E1":
            return self._memory(cell, port, index)
        if kind in ("SRL16E", "SRLC32E"):
            size = 4 if kind == "SRL16E" else 5
            record: Record = {
                "kind": "SRL", "INIT": _number(cell["parameters"].get("INIT", "0")), "SIZE": size,
                "INVERTED": 0, "D": self.pin(cell, "D"), "WE": self.pin(cell, "CE", default="1"),
                "C": self.pin(cell, "CLK"), "pin": "END" if port == "Q31" else "O",
            }  # fmt: skip
            for i in range(size):
                record[f"A{i}"] = self.pin(cell, *((f"A{i}", 0) if size == 4 else ("A", i)))
            return record
        return self._block(cell, f"{port}{index}")

    def _memory(self, cell: Mapping[str, Any], port: str, index: int) -> Record:
        kind = cell["type"]
        size = 5 if "32" in kind else 6
        record: Record = {
            "kind": "RAM", "SIZE": size, "INVERTED": 0, "WE": self.pin(cell, "WE"),
            "C": self.pin(cell, "WCLK"), "pin": "O",
        }  # fmt: skip
        if kind.endswith("M"):
            letter = port[-1]
            init = _number(cell["parameters"].get(f"INIT_{letter}", "0"))
            if size == 5:
                init = sum((init >> 2 * i + index & 1) << i for i in range(32))
            record |= {"INIT": init, "D": self.pin(cell, f"DI{letter}", index)}
            for i in range(size):
                record[f"A{i}"] = self.pin(cell, f"ADDR{letter}", i)
                record[f"W{i}"] = self.pin(cell, "ADDRD", i)
        else:
            record |= {"INIT": _number(cell["parameters"].get("INIT", "0"))}
            record |= {"D": self.pin(cell, "D")}
            for i in range(size):
                record[f"A{i}"] = self.pin(cell, f"{'A' if port == 'SPO' else 'DPRA'}{i}")
                record[f"W{i}"] = self.pin(cell, f"A{i}")
        return record

    def _block(self, cell: Mapping[str, Any], pin: str) -> Record:
        values = cell["parameters"]
        if _text(values.get("RAM_MODE", "TDP")) != "TDP":
            raise VerificationError("a RAMB18E1 as simple dual port, which cannot be read back")
        settings: dict[str, int | str] = {}
        for port in "AB":
            for way in ("READ", "WRITE"):
                settings[f"{way}_WIDTH_{port}"] = _number(values.get(f"{way}_WIDTH_{port}", "0"))
            settings[f"DO{port}_REG"] = _number(values.get(f"DO{port}_REG", "0"))
            for name in (f"INIT_{port}", f"SRVAL_{port}"):
                settings[name] = _number(values[name]) if name in values else self.terms.any
            settings[f"WRITE_MODE_{port}"] = _text(values.get(f"WRITE_MODE_{port}", "WRITE_FIRST"))
        for kind, name, count in (("INIT", "DATA", 64), ("INITP", "PARITY", 8)):
            words = (_number(values.get(f"{kind}_{i:02X}", "0")) << 256 * i for i in range(count))
            settings[name] = sum(words)
        return block_record(self.terms, settings, pin, lambda n, i: self.pin(cell, n, i), settings)


def element(terms: Terms, record: Record) -> Term:
    """A memory's output that is read where it comes out, under no name."""
    return terms.of("element", *sorted(record.items()))


def block_record(
    terms: Terms,
    settings: Mapping[str, int | str],
    pin: str,
    at: Callable[[str, int], Term],
    wanted: Mapping[str, int | str],
) -> Record:
    """What an 18 kb block RAM does at one output: only what is used of it.

    Args:
        at: the term at an input pin and index.
        wanted: settings that say which widths are in use.
    """
    record: Record = {"kind": "RAMB18", "pin": pin}
    record |= {"DATA": settings["DATA"], "PARITY": settings["PARITY"]}
    ports = (
        ("A", "ADDRARDADDR", "CLKARDCLK", "ENARDEN", "REGCEAREGCE", "RSTRAMARSTRAM",
         "RSTREGARSTREG", "WEA", "DIADI", "DIPADIP"),
        ("B", "ADDRBWRADDR", "CLKBWRCLK", "ENBWREN", "REGCEB", "RSTRAMB", "RSTREGB", "WEBWE",
         "DIBDI", "DIPBDIP"),
    )  # fmt: skip
    for port, address, clock, enable, register, reset, reset_register, write, data, parity in ports:
        writes = [at(write, i) for i in range(2)]
        written = any(term != terms.zero for term in writes)
        read = int(wanted[f"READ_WIDTH_{port}"])
        if not (read or written):
            continue
        record |= {clock: at(clock, 0), enable: at(enable, 0), reset: at(reset, 0)}
        resets = {at(name, 0) for name in (reset, reset_register)} != {terms.zero}
        names = (f"INIT_{port}", *((f"SRVAL_{port}",) if resets else ()))
        record |= {name: settings[name] for name in names}
        if read:
            record[f"READ_WIDTH_{port}"] = settings[f"READ_WIDTH_{port}"]
            record[f"DO{port}_REG"] = settings[f"DO{port}_REG"]
            if settings[f"DO{port}_REG"]:
                record |= {register: at(register, 0), reset_register: at(reset_register, 0)}
        width = int(wanted[f"WRITE_WIDTH_{port}"]) if written else read
        record |= {f"{write}{i}": term for i, term in enumerate(writes)}
        if written:
            record |= {n: settings[n] for n in (f"WRITE_WIDTH_{port}", f"WRITE_MODE_{port}")}
            bits = {18: 16, 9: 8}.get(width, width)
            record |= {f"{data}{i}": at(data, i) for i in range(bits)}
            record |= {f"{parity}{i}": at(parity, i) for i in range(width - bits)}
            width = min(width, read or width)
        low = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4}.get(width, 0)
        record |= {f"{address}{i}": at(address, i) for i in range(low, 14)}
    return record


def _binary(value: Any) -> str:
    return value if isinstance(value, str) else f"{int(value):b}"


def _number(value: Any) -> int:
    return int(_binary(value).replace("x", "0").replace("z", "0") or "0", 2)


def _text(value: Any) -> str:
    return str(value).strip()
