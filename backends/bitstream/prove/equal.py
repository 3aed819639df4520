# SPDX-License-Identifier: Apache-2.0
"""The netlist in the bits against the netlist that was placed and routed.

Nets have the names that the router wrote beside its routes; a name is only a claim. Each net that
has one must be driven, in the bits, by the function or the state element that drives the net of
that name in the netlist, as a function of nets that are checked in the same way. Where all of them
and all pins of the processing system agree, both netlists do the same in every cycle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qnnc.backends.bitstream.prove.cells import ONE, ZERO, Cell, Extraction, Net
from qnnc.backends.bitstream.prove.routing import Fault
from qnnc.backends.bitstream.prove.terms import Term, Terms
from qnnc.backends.bitstream.prove.wanted import Record, Wanted, block_record, element
from qnnc.compiler.errors import VerificationError

_SETTING = re.compile(r"kind$|pin$|SYNC$|SIZE$|INVERTED|SRVAL|INIT_|.*WIDTH|.*_REG$|WRITE_MODE")
_STATE = ("FF", "RAM", "SRL", "RAMB18")


@dataclass
class Comparison:
    """What was compared.

    Attributes:
        functions: nets whose function of other nets was compared.
        elements: state elements, by kind.
        pins: inputs of the processing system.
        faults: what differs.
    """

    functions: int = 0
    elements: dict[str, int] = field(default_factory=dict)
    pins: int = 0
    faults: list[Fault] = field(default_factory=list)


def bits_by_name(module: Mapping[str, Any]) -> dict[str, Any]:
    """A netlist's bits by the names that nextpnr gives them."""
    result: dict[str, Any] = {}
    for name, net in module["netnames"].items():
        first = int(net.get("offset", 0))
        for index, bit in enumerate(net["bits"]):
            result.setdefault(f"{name}[{first + index}]", bit)
        if len(net["bits"]) == 1:
            result[name] = net["bits"][0]
    return result


def known_nets(
    design: Extraction, names: Mapping[int, str], module: Mapping[str, Any]
) -> dict[Net, Any]:
    """The netlist's bit of each net that leaves a site on a route with a name."""
    bits = bits_by_name(module)
    wires = design.routing.wires
    result: dict[Net, Any] = {}
    for net, pins in design.sources.items():
        for pin in sorted(pins):
            node = wires.pin_node(pin.tile, pin.site, pin.kind, pin.pin)
            bit = bits.get(names.get(node, "")) if node is not None else None
            if bit is not None and not isinstance(bit, str) and net not in (ZERO, ONE):
                result.setdefault(net, bit)
    return result


class Equality:
    """Compares cells with a netlist.

    Args:
        cells: read back, by name.
        outputs: nets at the processing system's inputs.
        known: the netlist's bit of nets.
        module: the netlist.
    """

    def __init__(
        self,
        cells: Mapping[str, Cell],
        outputs: Mapping[str, Net],
        known: Mapping[Net, Any],
        module: Mapping[str, Any],
    ) -> None:
        self.cells, self.outputs = cells, outputs
        self.terms = Terms()
        self.bit_of = dict(known)
        self._labels: dict[Any, str] = {}
        for name, found in bits_by_name(module).items():
            old = self._labels.get(found)
            if old is None or (name[:1] != "$", -len(name)) > (old[:1] != "$", -len(old)):
                self._labels[found] = name
        self._processor(module)
        self.wanted = Wanted(module, self.terms, set(self.bit_of.values()))
        self._defined: dict[Net, Term] = {}
        self.inside: set[str] = set()
        self.driven: set[Any] = set()
        self.copies: list[tuple[str, Any]] = []

    def _processor(self, module: Mapping[str, Any]) -> None:
        """Outputs of the processing system have their pin's name."""
        self.processor = next(c for c in module["cells"].values() if c["type"] == "PS7")
        for port, bits in self.processor["connections"].items():
            if self.processor["port_directions"][port] != "output":
                continue
            for index, bit in enumerate(bits):
                self.bit_of[f"PS7.{port}{index}"] = bit
                if len(bits) == 1:
                    self.bit_of[f"PS7.{port}"] = bit

    def run(self) -> Comparison:
        """Compare everything that the processing system can see."""
        result = Comparison()
        for net, bit in self.bit_of.items():
            if not net.startswith("PS7."):
                self._compare(net, bit, result)
        for name, bit in self.copies:
            if bit not in self.driven and not self._from_processor(bit):
                result.faults.append(
                    Fault("function", name, "it only repeats a net that nothing drives",
                          self._label(bit))
                )  # fmt: skip
        self._pins(result)
        unnamed = [
            c for c in self.cells.values()
            if c.kind in _STATE and c.kind != "RAMB18" and c.name not in self.inside
            and not any(f"{c.name}.{p}" in self.bit_of for p in ("Q", "O", "END"))
        ]  # fmt: skip
        for cell in unnamed:
            result.faults.append(
                Fault("unknown cell", cell.name, f"the netlist has no {cell.kind} there")
            )
        return result

    def _from_processor(self, bit: Any) -> bool:
        name, _, _ = self.wanted.drivers.get(bit, ("", "", 0))
        return bool(name) and self.wanted.cells[name]["type"] == "PS7"

    def _compare(self, net: Net, bit: Any, result: Comparison) -> None:
        name, _, pin = net.rpartition(".")
        cell = self.cells.get(name)
        label = self._label(bit)
        wrong = ""
        try:
            if cell is not None and cell.kind in _STATE:
                if not self.wanted.is_state(bit):
                    raise VerificationError(f"a {cell.kind} where the netlist has logic")
                have, want = self.record(cell, pin, bit), self.wanted.record(bit)
                result.elements[cell.kind] = result.elements.get(cell.kind, 0) + 1
                wrong = self._differ(have, want)
            elif self.define(net) == self.terms.net(bit):
                self.copies.append((name, bit))  # a LUT on the way of a net
                return
            else:
                if self.wanted.is_state(bit):
                    raise VerificationError("logic where the netlist has a state element")
                result.functions += 1
                a, b = self.define(net), self.wanted.define(bit)
                wrong = "" if a == b else f"{self._text(a)} where the netlist has {self._text(b)}"
        except VerificationError as error:
            wrong = str(error)
        self.driven.add(bit)
        if wrong:
            kind = "contents" if wrong.startswith(("DATA", "PARITY", "INIT")) else "function"
            result.faults.append(Fault(kind, name, wrong, label))

    def _differ(self, have: Record, want: Record) -> str:
        for field_name, wanted in want.items():
            found = have.get(field_name)
            if wanted == self.terms.any:
                continue
            if found == wanted:
                continue
            if field_name in ("DATA", "PARITY", "INIT"):
                bits = bin(int(found or 0) ^ int(wanted)).count("1")
                return f"{field_name} differs in {bits} bits"
            shown = [str(found), str(wanted)]
            if not _SETTING.match(field_name):
                shown = [self._text(int(t)) if t is not None else "absent" for t in (found, wanted)]
            return f"{field_name} is {shown[0]}, in the netlist {shown[1]}"
        return ""

    def _pins(self, result: Comparison) -> None:
        directions = self.processor["port_directions"]
        for port, bits in self.processor["connections"].items():
            if directions[port] == "output":
                continue
            for index, bit in enumerate(bits):
                pin = f"{port}{index}" if f"{port}{index}" in self.outputs else port
                have = self.ref(self.outputs.get(pin, ONE))
                want = self.wanted.ref(bit)
                result.pins += 1
                if want not in (have, self.terms.any):
                    result.faults.append(
                        Fault(
                            "pin", f"PS7.{port}{index}",
                            f"{self._text(have)} where the netlist has {self._text(want)}",
                            self._label(bit),
                        )
                    )  # fmt: skip

    def ref(self, net: Net) -> Term:
        """A net where it is read."""
        if net in (ZERO, ONE):
            return self.terms.one if net == ONE else self.terms.zero
        if net not in self.bit_of:
            return self.define(net)
        cell = self.cells.get(net.rpartition(".")[0])
        if cell is not None and cell.kind not in _STATE:
            found = self.define(net)
            if self.terms.constant(found) is not None:
                return found
        return self.terms.net(self.bit_of[net])

    def define(self, net: Net) -> Term:
        """A net as what drives it."""
        if net not in self._defined:
            self._defined[net] = self.terms.of("loop", net)  # what a loop finds
            self._defined[net] = self._define(net)
        return self._defined[net]

    def _define(self, net: Net) -> Term:
        name, _, pin = net.rpartition(".")
        cell = self.cells.get(name)
        if cell is None:
            return self.terms.of("pin", net)
        pins = cell.pins
        if cell.kind == "LUT":
            size = int(cell.settings["SIZE"])
            inputs = [self.ref(pins.get(f"A{i}", ONE)) for i in range(1, size + 1)]
            return self.terms.lut(int(cell.settings["INIT"]), inputs)
        if cell.kind == "MUX":
            return self.terms.mux(*(self.ref(pins[p]) for p in ("S", "I0", "I1")))
        if cell.kind == "CARRY":
            propagate, carry = self.ref(pins["S"]), self.ref(pins["CI"])
            if pin == "O":
                return self.terms.sum(propagate, carry)
            return self.terms.mux(propagate, self.ref(pins["DI"]), carry)
        if cell.kind in ("RAM", "SRL"):
            self.inside.add(cell.name)
            return element(self.terms, self.record(cell, pin, None))
        raise VerificationError(f"{cell.name} ({cell.kind}) has no name in the netlist")

    def record(self, cell: Cell, pin: str, bit: Any) -> Record:
        """A state element of the bits.

        Raises:
            VerificationError: the netlist has another one in its place.
        """
        if cell.kind == "RAMB18":
            want = self.wanted.cells[self.wanted.drivers[bit][0]]
            if want["type"] != "RAMB18E1":
                raise VerificationError("a block RAM where the netlist has none")
            found = self.wanted.record(bit)
            widths = {
                f"{way}_WIDTH_{port}": found.get(f"{way}_WIDTH_{port}", 0)
                for way in ("READ", "WRITE")
                for port in "AB"
            }
            return block_record(
                self.terms, cell.settings, pin, lambda name, i: self._at(cell, name, i), widths,
            )  # fmt: skip
        record: Record = {"kind": cell.kind, "pin": pin, **cell.settings}
        record |= {name: self.ref(net) for name, net in cell.pins.items()}
        return record

    def _at(self, cell: Cell, name: str, index: int) -> Term:
        """An input of a block RAM, which may invert it."""
        found = self.ref(cell.pins.get(f"{name}{index}", cell.pins.get(name, ONE)))
        return self.terms.lut(0b01, [found]) if f"INVERTED_{name}" in cell.settings else found

    def _label(self, bit: Any) -> str:
        return self._labels.get(bit, str(bit))

    def _text(self, term: Term) -> str:
        text = self.terms.text(term)
        return re.sub(r"net (\d+)", lambda m: self._label(int(m[1])), text)[:160]
