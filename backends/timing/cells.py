# SPDX-License-Identifier: Apache-2.0
"""Delays of 7-series cells in nanoseconds, of speed grade -1.

From the `specify` blocks of Yosys's models (share/xilinx/cells_sim.v, which names a line of
Project X-Ray's timing data for each number). What differs from them:

* a LUT takes 0.124 ns from any input (DS187, T_ILO); the models charge the way to its pins too,
  which is a wire here;
* a flip-flop takes 0.35 ns to its output and 0.1 ns before the clock, as in nextpnr's chip
  database; the models have 0.30 and 0;
* the enable of a block RAM, and what chooses the operands of a DSP48E1, are not in the models:
  they are taken for as slow as its write enable, and as an addend without a register.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qnnc.compiler.errors import ToolError

CLOCKS = frozenset({"aclk", "C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"})
LUT, MUX, CARRY, REGISTER, COLUMN, OTHER = "LUT", "MUX", "carry", "register", "column", "other"
"""Kinds of cells that wires tell apart; block RAMs and DSP blocks have columns of their own."""


@dataclass(frozen=True)
class Delays:
    """Of a cell; pins are named "NAME", or "NAME[i]" where their bits differ.

    Attributes:
        kind: what it is to the wires at its pins.
        launch: from the clock to an output.
        setup: what an input must be there before the clock.
        through: from an input to an output without a clock, by (input, output).
    """

    kind: str = OTHER
    launch: Mapping[str, float] = field(default_factory=dict)
    setup: Mapping[str, float] = field(default_factory=dict)
    through: Mapping[tuple[str, str], float] = field(default_factory=dict)


_PARAMETERS = {
    "LUT6_2": ("INIT",),
    "DSP48E1": ("AREG", "BREG", "CREG", "MREG", "PREG"),
    "RAMB18E1": ("DOA_REG", "DOB_REG"),
    "RAMB36E1": ("DOA_REG", "DOB_REG"),
}
"""What delays of a cell depend on."""

Parameters = tuple[tuple[str, int], ...]


def parameters_of(cell: Mapping[str, Any]) -> Parameters:
    """What the delays of a cell, as Yosys writes it, depend on: some of its parameters, and of a
    LUT of two outputs the inputs that are constant."""
    kind, parameters = cell["type"], cell["parameters"]
    names = _PARAMETERS.get(kind, ())
    found = [(name, _number(parameters.get(name, 0))) for name in names]
    if kind == "LUT6_2":
        pins = sorted(cell["connections"].items())
        found += [(pin, int(bits[0])) for pin, bits in pins if bits[0] in ("0", "1")]
    return tuple(found)


def _number(value: Any) -> int:
    return int(value, 2) if isinstance(value, str) else int(value)


def delays_of(kind: str, parameters: Parameters) -> Delays:
    """The delays of a cell.

    Args:
        kind: its type.
        parameters: as `parameters_of` gives them.

    Raises:
        ToolError: of a type, or with registers, that are not known.
    """
    if found := re.fullmatch(r"LUT([1-6])", kind):
        return _comb(LUT, {(f"I{i}", "O"): _LUT for i in range(int(found[1]))})
    if kind == "LUT6_2":
        return _lut6_2(dict(parameters))
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in ("RAMB18E1", "RAMB36E1"):
        return _block_ram(dict(parameters))
    if kind == "DSP48E1":
        return _dsp(dict(parameters))
    raise ToolError(f"the timing model does not know the cell {kind}")


def _comb(kind: str, through: Mapping[tuple[str, str], float]) -> Delays:
    return Delays(kind, through=through)


_LUT = 0.124


def _lut6_2(parameters: Mapping[str, int]) -> Delays:
    """From the inputs that an output depends on: a carry-save adder's O5 does not depend on the
    input that comes from the O5 before it."""
    table = parameters["INIT"]
    fixed = {int(pin[1:]): value for pin, value in parameters.items() if pin != "INIT"}
    found = {}
    for out, inputs in (("O5", 5), ("O6", 6)):
        held = [(i, value) for i, value in fixed.items() if i < inputs]
        places = [at for at in range(1 << inputs) if all(at >> i & 1 == v for i, v in held)]
        for i in set(range(inputs)) - fixed.keys():
            if any((table >> at ^ table >> (at ^ 1 << i)) & 1 for at in places):
                found[f"I{i}", out] = _LUT
    return _comb(LUT, found)


_CARRY_O = {
    "CYINIT": (0.482, 0.598, 0.584, 0.642),
    "CI": (0.222, 0.334, 0.239, 0.313),
    "S[0]": (0.223, 0.400, 0.523, 0.582),
    "S[1]": (0, 0.205, 0.558, 0.618),
    "S[2]": (0, 0, 0.226, 0.330),
    "S[3]": (0, 0, 0, 0.227),
    "DI[0]": (0, 0.407, 0.556, 0.615),
    "DI[1]": (0, 0, 0.537, 0.596),
    "DI[2]": (0, 0, 0, 0.438),
}
_CARRY_CO = {
    "CYINIT": (0.536, 0.494, 0.592, 0.580),
    "CI": (0.271, 0.157, 0.228, 0.114),
    "S[0]": (0.340, 0.433, 0.512, 0.508),
    "S[1]": (0, 0.469, 0.548, 0.528),
    "S[2]": (0, 0, 0.292, 0.378),
    "S[3]": (0, 0, 0, 0.380),
    "DI[0]": (0.379, 0.465, 0.540, 0.526),
    "DI[1]": (0, 0.445, 0.520, 0.507),
    "DI[2]": (0, 0, 0.356, 0.398),
    "DI[3]": (0, 0, 0, 0.385),
}
"""To positions 0 to 3; 0 where there is no way."""


def _carry() -> Delays:
    found = {
        (pin, f"{out}[{i}]"): delay
        for out, table in (("O", _CARRY_O), ("CO", _CARRY_CO))
        for pin, row in table.items()
        for i, delay in enumerate(row)
        if delay
    }
    return _comb(CARRY, found)


def _flip_flop(reset: str) -> Delays:
    return Delays(REGISTER, {"Q": 0.35}, {"D": 0.1, "CE": 0.109, reset: 0.404})


def _shift_register(outputs: Mapping[str, float], address: tuple[str, ...]) -> Delays:
    slow = (0.642, 0.631, 0.472, 0.407, 0.238)[-len(address) :] if len(address) > 1 else (0.642,)
    return Delays(
        OTHER,
        outputs,
        {"D": 0.173, "CE": 0.109},
        {(pin, "Q"): delay for pin, delay in zip(address, slow, strict=True)},
    )


def _lut_ram(ports: Mapping[str, str], data: tuple[str, ...], extra: float = 0.0) -> Delays:
    """Distributed RAM: an asynchronous read from each address in `ports` to its output.

    Args:
        extra: through the multiplexers that join several LUTs.
    """
    written = set(ports) & {"A", "ADDRD", *(f"A{i}" for i in range(6))}
    return Delays(
        OTHER,
        dict.fromkeys(ports.values(), 1.19 + extra),
        {**dict.fromkeys(data, 0.461), "WE": 0.654, **dict.fromkeys(written, 0.616)},
        dict.fromkeys(ports.items(), 0.642 + extra),
    )


def _numbered(bits: int, dual: bool, single: str = "SPO") -> dict[str, str]:
    ports = {f"A{i}": single for i in range(bits)}
    return ports | ({f"DPRA{i}": "DPO" for i in range(bits)} if dual else {})


_QUAD = {f"ADDR{x}": f"DO{x}" for x in "ABCD"}
_QUAD_DATA = ("DIA", "DIB", "DIC", "DID")
_JOINED = 0.397
"""Through one multiplexer after the LUTs of a RAM, and out of the slice."""

_FIXED = {
    "INV": _comb(LUT, {("I", "O"): _LUT}),
    "MUXF7": _comb(MUX, {("I0", "O"): 0.217, ("I1", "O"): 0.223, ("S", "O"): 0.296}),
    "MUXF8": _comb(MUX, {("I0", "O"): 0.104, ("I1", "O"): 0.094, ("S", "O"): 0.273}),
    "CARRY4": _carry(),
    "BUFG": _comb(OTHER, {("I", "O"): 0.096}),
    "VCC": Delays(),
    "GND": Delays(),
    **{
        name: _flip_flop(reset)
        for name, reset in (
            ("FDRE", "R"), ("FDRE_1", "R"), ("FDSE", "S"), ("FDSE_1", "S"),
            ("FDCE", "CLR"), ("FDPE", "PRE"),
        )
    },
    "SRL16E": _shift_register({"Q": 1.472}, ("A0", "A1", "A2", "A3")),
    "SRLC16E": _shift_register({"Q": 1.472, "Q15": 1.114}, ("A0", "A1", "A2", "A3")),
    "SRLC32E": _shift_register({"Q": 1.472, "Q31": 1.114}, ("A",)),
    "RAM32X1S": _lut_ram(_numbered(5, False, "O"), ("D",)),
    "RAM64X1S": _lut_ram(_numbered(6, False, "O"), ("D",)),
    "RAM32X1D": _lut_ram(_numbered(5, True), ("D",)),
    "RAM64X1D": _lut_ram(_numbered(6, True), ("D",)),
    "RAM128X1S": _lut_ram({f"A{i}": "O" for i in range(7)}, ("D",), _JOINED),
    "RAM128X1D": _lut_ram({"A": "SPO", "DPRA": "DPO"}, ("D",), _JOINED),
    "RAM256X1S": _lut_ram({"A": "O"}, ("D",), 2 * _JOINED),
    "RAM32M": _lut_ram(_QUAD, _QUAD_DATA),
    "RAM64M": _lut_ram(_QUAD, _QUAD_DATA),
}  # fmt: skip


def _block_ram(registers: Mapping[str, int]) -> Delays:
    """Both ports; with an output register or without."""
    launch = {
        pin: 0.882 if registers[f"DO{port}_REG"] else 2.454
        for port, pins in (("A", ("DOADO", "DOPADOP")), ("B", ("DOBDO", "DOPBDOP")))
        for pin in pins
    }
    setup = {
        **dict.fromkeys(("ADDRARDADDR", "ADDRBWRADDR"), 0.566),
        **dict.fromkeys(("WEA", "WEBWE", "ENARDEN", "ENBWREN"), 0.532),
        **dict.fromkeys(("REGCEAREGCE", "REGCEB"), 0.36),
        **dict.fromkeys(("RSTREGARSTREG", "RSTREGB", "RSTRAMARSTRAM", "RSTRAMB"), 0.342),
        **dict.fromkeys(("DIADI", "DIBDI", "DIPADIP", "DIPBDIP"), 0.737),
    }
    return Delays(COLUMN, launch, setup)


def _dsp(registers: Mapping[str, int]) -> Delays:
    """A multiplier with registered operands and product, and an adder after it."""
    if not all(registers[name] for name in ("AREG", "BREG", "MREG")):
        raise ToolError("the timing model does not know a DSP48E1 without registers before and in "
                        "its multiplier")  # fmt: skip
    launch, setup = {}, {"A": 0.254, "B": 0.324}
    through: dict[tuple[str, str], float] = {}
    enables = [f"CE{r}" for r in ("A1", "A2", "B1", "B2", "C", "M", "P")]
    setup |= dict.fromkeys((*enables, *(f"RST{r}" for r in "ABCMP")), 0.324)
    unregistered = ["CARRYIN", "OPMODE", "ALUMODE", "INMODE", "CARRYINSEL"]
    unregistered += [] if registers["CREG"] else ["C"]
    if registers["CREG"]:
        setup["C"] = 0.168
    if registers["PREG"]:
        launch = {"P": 0.329, "PCOUT": 0.435}
        setup |= dict.fromkeys(unregistered, 1.244) | {"PCIN": 1.025}
    else:
        launch = {"P": 1.687, "PCOUT": 1.835} if registers["CREG"] else {"P": 1.671, "PCOUT": 1.819}
        for pin in unregistered:
            through |= {(pin, "P"): 1.325, (pin, "PCOUT"): 1.474}
        through |= {("PCIN", "P"): 1.107, ("PCIN", "PCOUT"): 1.255}
    return Delays(COLUMN, launch, setup, through)
