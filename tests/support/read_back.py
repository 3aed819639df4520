# SPDX-License-Identifier: Apache-2.0
"""A small design as it is read back from bits, with every kind of cell, and its netlist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qnnc.backends.bitstream.prove.cells import Cell
from qnnc.backends.bitstream.prove.equal import Comparison, Equality

_CLOCK = "PS7.FCLKCLK0"
_IN = [f"PS7.EMIOGPIOO{i}" for i in range(8)]


def _ram() -> Cell:
    settings: dict[str, int | str] = {"DATA": 0x1234, "PARITY": 0x5}
    pins = {"CLKARDCLK": _CLOCK, "CLKBWRCLK": _CLOCK, "ENARDEN": "1", "ENBWREN": "1",
            "RSTRAMARSTRAM": "0", "RSTRAMB": "0", "RSTREGARSTREG": "0", "RSTREGB": "0",
            "REGCEAREGCE": "1", "REGCEB": "1", "WEA0": "0", "WEA1": "0", "WEBWE0": _IN[7],
            "WEBWE1": "0"}  # fmt: skip
    for port, read, write in (("A", 18, 18), ("B", 1, 18)):
        settings |= {f"READ_WIDTH_{port}": read, f"WRITE_WIDTH_{port}": write,
                     f"DO{port}_REG": int(port == "A"), f"INIT_{port}": 0, f"SRVAL_{port}": 0,
                     f"WRITE_MODE_{port}": "WRITE_FIRST"}  # fmt: skip
    pins |= {f"ADDRARDADDR{i}": _IN[i % 4] for i in range(4, 14)}
    pins |= {f"ADDRBWRADDR{i}": _IN[4 + i % 3] for i in range(4, 14)}
    pins |= {f"DIBDI{i}": _IN[i % 8] for i in range(16)} | {"DIPBDIP0": "0", "DIPBDIP1": _IN[1]}
    return Cell("RAMB18", "T.RAMB18_Y0", settings, pins)


def _cells() -> list[Cell]:
    flop = {"INIT": 0, "SRVAL": 0, "SYNC": 1, "INVERTED": 0}
    memory = {"INIT": 0xF0F0, "SIZE": 5, "INVERTED": 0}
    return [
        Cell("LUT", "T.SLICEL_X0.A6LUT", {"INIT": 0x8888888888888888, "SIZE": 6},
             {"A1": _IN[0], "A2": _IN[1]}),
        Cell("LUT", "T.SLICEL_X0.B6LUT", {"INIT": 0x6666666666666666, "SIZE": 6},
             {"A1": _IN[2], "A2": _IN[3]}),
        Cell("MUX", "T.SLICEL_X0.F7AMUX", {},
             {"S": _IN[4], "I0": "T.SLICEL_X0.B6LUT.O", "I1": "T.SLICEL_X0.A6LUT.O"}),
        Cell("CARRY", "T.SLICEL_X1.CARRY4.A", {}, {"S": _IN[0], "DI": _IN[1], "CI": _IN[2]}),
        Cell("CARRY", "T.SLICEL_X1.CARRY4.B", {},
             {"S": _IN[3], "DI": _IN[4], "CI": "T.SLICEL_X1.CARRY4.A.CO"}),
        Cell("FF", "T.SLICEL_X0.AFF", dict(flop),
             {"D": "T.SLICEL_X0.F7AMUX.O", "CE": _IN[5], "SR": _IN[6], "C": _CLOCK}),
        Cell("FF", "T.SLICEL_X1.BFF", {**flop, "INIT": 1},
             {"D": "T.SLICEL_X1.CARRY4.B.O", "CE": "1", "SR": "0", "C": _CLOCK}),
        Cell("RAM", "T.SLICEM_X0.A5RAM", dict(memory),
             {"C": _CLOCK, "WE": _IN[7], "D": _IN[0]} | {f"A{i}": _IN[i] for i in range(5)}
             | {f"W{i}": _IN[i + 1] for i in range(5)}),
        Cell("SRL", "T.SLICEM_X0.B6SRL", {**memory, "INIT": 0x55, "SIZE": 4},
             {"C": _CLOCK, "WE": _IN[6], "D": _IN[3]} | {f"A{i}": _IN[i] for i in range(4)}),
        _ram(),
    ]  # fmt: skip


DESIGN = {cell.name: cell for cell in _cells()}
_OUTPUTS = {
    "EMIOGPIOI0": "T.SLICEL_X0.AFF.Q", "EMIOGPIOI1": "T.SLICEL_X1.BFF.Q",
    "EMIOGPIOI2": "T.SLICEM_X0.A5RAM.O", "EMIOGPIOI3": "T.SLICEM_X0.B6SRL.O",
    "EMIOGPIOI4": "T.RAMB18_Y0.DOADO3", "EMIOGPIOI5": "T.RAMB18_Y0.DOPADOP1",
}  # fmt: skip
_NETS = {"T.SLICEL_X0.A6LUT.O": 11, "T.SLICEL_X0.B6LUT.O": 12, "T.SLICEL_X0.F7AMUX.O": 13,
         "T.SLICEL_X1.CARRY4.A.CO": 14, "T.SLICEL_X1.CARRY4.B.O": 15, "T.SLICEL_X0.AFF.Q": 21,
         "T.SLICEL_X1.BFF.Q": 22, "T.SLICEM_X0.A5RAM.O": 23, "T.SLICEM_X0.B6SRL.O": 24,
         "T.RAMB18_Y0.DOADO3": 25, "T.RAMB18_Y0.DOPADOP1": 26}  # fmt: skip
_C, _B = 2, list(range(30, 38))


def _cell(kind: str, outputs: str, parameters: dict[str, str], **pins: list[Any]) -> dict[str, Any]:
    names = outputs.split()
    return {
        "type": kind,
        "parameters": parameters,
        "connections": pins,
        "port_directions": {p: "output" if p in names else "input" for p in pins},
    }


def _block() -> dict[str, Any]:
    parameters = {"RAM_MODE": "TDP", "READ_WIDTH_A": f"{18:b}", "WRITE_WIDTH_A": f"{18:b}",
                  "READ_WIDTH_B": "0", "WRITE_WIDTH_B": f"{18:b}", "DOA_REG": "1", "DOB_REG": "0",
                  "INIT_00": f"{0x1234:b}", "INITP_00": "101"}  # fmt: skip
    return _cell(
        "RAMB18E1", "DOADO DOPADOP", parameters,
        DOADO=["x", "x", "x", 25], DOPADOP=["x", 26], CLKARDCLK=[_C], CLKBWRCLK=[_C],
        ENARDEN=["1"], ENBWREN=["1"], RSTRAMARSTRAM=["0"], RSTRAMB=["0"], RSTREGARSTREG=["0"],
        RSTREGB=["0"], REGCEAREGCE=["1"], REGCEB=["1"], WEA=["0", "0"], WEBWE=[_B[7], "0"],
        ADDRARDADDR=[*4 * ["0"], *(_B[i % 4] for i in range(4, 14))],
        ADDRBWRADDR=[*4 * ["0"], *(_B[4 + i % 3] for i in range(4, 14))],
        DIBDI=[_B[i % 8] for i in range(16)], DIPBDIP=["0", _B[1]],
    )  # fmt: skip


_TWO_BY_TWO = f"{sum((0xF0F0 >> i & 1) << 2 * i for i in range(32)):064b}"
"""Contents of a RAM32M: two bits per word."""

MODULE: dict[str, Any] = {
    "cells": {
        # the same functions, their inputs in another order
        "a": _cell("LUT2", "O", {"INIT": "1000"}, I0=[_B[1]], I1=[_B[0]], O=[11]),
        "b": _cell("LUT2", "O", {"INIT": "0110"}, I0=[_B[3]], I1=[_B[2]], O=[12]),
        "mux": _cell("MUXF7", "O", {}, I0=[12], I1=[11], S=[_B[4]], O=[13]),
        "carry": _cell("CARRY4", "O CO", {}, S=[_B[0], _B[3], "x", "x"], CI=[_B[2]], CYINIT=["0"],
                       DI=[_B[1], _B[4], "x", "x"], O=[16, 15, 17, 18], CO=[14, 19, 20, 27]),
        "ff": _cell("FDRE", "Q", {"INIT": "0"}, D=[13], CE=[_B[5]], R=[_B[6]], C=[_C], Q=[21]),
        "g": _cell("FDRE", "Q", {"INIT": "1"}, D=[15], CE=["1"], R=["0"], C=[_C], Q=[22]),
        "ram": _cell("RAM32M", "DOA", {"INIT_A": _TWO_BY_TWO},
                     ADDRA=_B[:5], ADDRD=_B[1:6], DIA=[_B[0], "0"], DOA=[23, 28], WE=[_B[7]],
                     WCLK=[_C]),
        "srl": _cell("SRL16E", "Q", {"INIT": f"{0x55:016b}"}, D=[_B[3]], CE=[_B[6]], CLK=[_C],
                     A0=[_B[0]], A1=[_B[1]], A2=[_B[2]], A3=[_B[3]], Q=[24]),
        "block": _block(),
        "ps": _cell("PS7", "FCLKCLK EMIOGPIOO", {}, FCLKCLK=[_C], EMIOGPIOO=_B,
                    EMIOGPIOI=list(range(21, 27))),
    },
    "netnames": {"q": {"bits": [21]}, "clock": {"bits": [_C]}},
}  # fmt: skip


def compare(design: Mapping[str, Cell], module: Mapping[str, Any]) -> Comparison:
    """A design against a netlist."""
    return Equality(design, _OUTPUTS, _NETS, module).run()
