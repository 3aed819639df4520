# SPDX-License-Identifier: Apache-2.0
"""Slices read back (UG474): LUTs, memories and shift registers in LUTs, carry chains,
multiplexers, flip-flops."""

from __future__ import annotations

from qnnc.backends.bitstream.prove.cells import ONE, ZERO, Cell, Extraction, Net, Site
from qnnc.backends.bitstream.prove.features import Features
from qnnc.compiler.errors import VerificationError

_LETTERS = "ABCD"


def output(design: Extraction, site: Site, pin: str) -> Net | None:
    """The net that a slice drives at one of its output pins."""
    part = Slice(design, site)
    letter = pin[0]
    if pin == "COUT":
        return part.carry(3, "CO")
    if pin == letter:
        return part.lut(letter, "O6")
    if pin == f"{letter}Q":
        return part.flip_flop(letter)
    return part.chosen(f"{letter}OUTMUX", letter)


class Slice:
    """One slice."""

    def __init__(self, design: Extraction, site: Site) -> None:
        self.design, self.site = design, site
        self.settings: Features = design.settings(site)

    def chosen(self, mux: str, letter: str) -> Net | None:
        """What a multiplexer in front of an output or a flip-flop lets through.

        Raises:
            VerificationError: two of its inputs are on at once, or one that cannot be read back.
        """
        on = [name for name in self.settings if name.startswith(f"{mux}.")]
        if len(on) != 1:
            if not on:
                return None
            raise VerificationError(f"{self.site.text}: {' and '.join(on)} are on at once")
        way = on[0].partition(".")[2]
        if way in ("O5", "O6"):
            return self.lut(letter, way)
        if way in ("XOR", "CY"):
            return self.carry(_LETTERS.index(letter), "O" if way == "XOR" else "CO")
        if way == f"{letter}5Q":
            return self.flip_flop(letter, "5")
        if way in ("F7", "F8"):
            return self.wide(letter, way)
        if way == f"{letter}X":
            return self.design.at(self.site, way)
        if way == "MC31":
            return self._memory("D", "MC31")
        raise VerificationError(f"{self.site.text}: {on[0]} cannot be read back")

    def lut(self, letter: str, pin: str) -> Net:
        """O6 or O5 of a LUT."""
        if f"{letter}LUT.RAM" in self.settings or f"{letter}LUT.SRL" in self.settings:
            return self._memory(letter, pin)
        table = self.settings.get(f"{letter}LUT.INIT", 0)
        inputs = 6
        if pin == "O5":
            table, inputs = table & 0xFFFFFFFF, 5
        name = f"{self.site.text}.{letter}{inputs}LUT"
        if name not in self.design.cells:
            for i in range(inputs):  # what only the other half reads would close loops
                if _depends(table, i, inputs):
                    table = _cofactor(table, i, inputs, self.design.constant(self.site, letter, i))
            used = [i for i in range(inputs) if _depends(table, i, inputs)]
            if not used:
                return ONE if table & 1 else ZERO
            cell = Cell("LUT", name, {"INIT": table, "SIZE": inputs})
            self.design.add(cell, self.site, {f"A{i + 1}": f"{letter}{i + 1}" for i in used})
        return f"{name}.O"

    def wide(self, letter: str, way: str) -> Net:
        """F7AMUX, F7BMUX (at C) or F8MUX: a 1 at the select pin takes the upper input."""
        if way == "F8":
            name, select = f"{self.site.text}.F8MUX", "BX"
        else:
            name, select = f"{self.site.text}.F7{'A' if letter == 'A' else 'B'}MUX", f"{letter}X"
        if name not in self.design.cells:
            cell = Cell("MUX", name)
            self.design.add(cell, self.site, {"S": select})
            if way == "F8":
                cell.pins |= {"I0": self.wide("C", "F7"), "I1": self.wide("A", "F7")}
            else:
                below = "B" if letter == "A" else "D"
                cell.pins |= {"I0": self.lut(below, "O6"), "I1": self.lut(letter, "O6")}
        return f"{name}.O"

    def carry(self, index: int, pin: str) -> Net:
        """O or CO of one position of the carry chain."""
        letter = _LETTERS[index]
        name = f"{self.site.text}.CARRY4.{letter}"
        if name not in self.design.cells:
            cell = Cell("CARRY", name)
            self.design.cells[name] = cell
            cell.pins["S"] = self.lut(letter, "O6")
            if f"CARRY4.{letter}CY0" in self.settings:
                cell.pins["DI"] = self.lut(letter, "O5")
            else:
                self.design.add(cell, self.site, {"DI": f"{letter}X"})
            if index:
                cell.pins["CI"] = self.carry(index - 1, "CO")
            elif "PRECYINIT.CIN" in self.settings:
                self.design.add(cell, self.site, {"CI": "CIN"})
            elif "PRECYINIT.AX" in self.settings:
                self.design.add(cell, self.site, {"CI": "AX"})
            else:
                cell.pins["CI"] = ONE if "PRECYINIT.C1" in self.settings else ZERO
        return f"{name}.{pin}"

    def flip_flop(self, letter: str, second: str = "") -> Net:
        """Q of a flip-flop; `second` "5" is the one beside O5.

        Raises:
            VerificationError: it is a latch, which no design of qnnc has.
        """
        name = f"{self.site.text}.{letter}{second}FF"
        if name in self.design.cells:
            return f"{name}.Q"
        if "LATCH" in self.settings:
            raise VerificationError(f"{self.site.text}: a latch, which no design of qnnc has")
        prefix = f"{letter}{second}FF"
        cell = Cell(
            "FF",
            name,
            {
                "INIT": int(f"{prefix}.ZINI" not in self.settings),
                "SRVAL": int(f"{prefix}.ZRST" not in self.settings),
                "SYNC": int("FFSYNC" in self.settings),
                "INVERTED": int("CLKINV" in self.settings),
            },
        )
        pins = {"C": "CLK"}
        for pin, mux in (("CE", "CEUSEDMUX"), ("SR", "SRUSEDMUX")):
            if mux in self.settings:
                pins[pin] = pin
            else:
                cell.pins[pin] = ONE if pin == "CE" else ZERO
        self.design.add(cell, self.site, pins)
        if second:
            if f"{letter}5FFMUX.IN_A" in self.settings:
                cell.pins["D"] = self.lut(letter, "O5")
            else:
                self.design.add(cell, self.site, {"D": f"{letter}X"})
        else:
            data = self.chosen(f"{letter}FFMUX", letter)
            cell.pins["D"] = ONE if data is None else data
        return f"{name}.Q"

    def _memory(self, letter: str, pin: str) -> Net:
        """A LUT used as memory or shift register, whole or one of its halves: output O, or END of
        a shift register."""
        ram = f"{letter}LUT.RAM" in self.settings
        small = f"{letter}LUT.SMALL" in self.settings
        if "WA7USED" in self.settings or "WA8USED" in self.settings or (pin == "O5" and not small):
            raise VerificationError(
                f"{self.site.text}: a memory of another depth than one LUT or half a LUT, which "
                "cannot be read back"
            )
        upper = small and pin != "O5"
        name = f"{self.site.text}.{letter}{'5' if pin == 'O5' else '6'}{'RAM' if ram else 'SRL'}"
        if name not in self.design.cells:
            table = self.settings.get(f"{letter}LUT.INIT", 0)
            if small:
                table = table >> 32 if upper else table & 0xFFFFFFFF
            cell = Cell("RAM" if ram else "SRL", name, {"INVERTED": int("CLKINV" in self.settings)})
            size = 5 if small else 6
            pins = {"C": "CLK", "WE": "CE" if "WEMUX.CE" in self.settings else "WE"}
            if upper:
                pins |= {"UPPER": f"{letter}6"}
            if ram:
                cell.settings |= {"INIT": table, "SIZE": size}
                pins |= {f"A{i}": f"{letter}{i + 1}" for i in range(size)}
                pins |= {f"W{i}": f"D{i + 1}" for i in range(size)}
            else:
                cell.settings |= {"INIT": self._undoubled(table, size, letter), "SIZE": size - 1}
                pins |= {f"A{i}": f"{letter}{i + 2}" for i in range(size - 1)}
            self.design.add(cell, self.site, pins)
            if upper:
                self.design.add(cell, self.site, {"D": f"{letter}X"})
            else:
                self._data(cell, letter, ram)
        return f"{name}.{'END' if pin == 'MC31' else 'O'}"

    def _undoubled(self, table: int, size: int, letter: str) -> int:
        """A shift register takes two bits of the table for each of its own, which agree."""
        ones = sum((table >> 2 * i & 1) << i for i in range(1 << size - 1))
        again = sum((table >> 2 * i + 1 & 1) << i for i in range(1 << size - 1))
        if ones != again:
            raise VerificationError(
                f"{self.site.text}.{letter}LUT: the halves of a shift register's contents differ"
            )
        return ones

    def _data(self, cell: Cell, letter: str, ram: bool) -> None:
        """DI1: from its own pin, the next LUT's data, or the next shift register's end."""
        if letter == "D" or f"{letter}LUT.DI1MUX.{letter}I" in self.settings:
            pin = f"{letter}I"
        elif not ram:
            cell.pins["D"] = self._memory(chr(ord(letter) + 1), "MC31")
            return
        elif letter == "A" and "BLUT.DI1MUX.BI" in self.settings:
            pin = "BI"
        else:
            pin = "DI"
        self.design.add(cell, self.site, {"D": pin})


def _depends(table: int, index: int, inputs: int) -> bool:
    """A LUT's output depends on one of its inputs."""
    step = 1 << index
    return any(
        (table >> at & 1) != (table >> (at | step) & 1)
        for at in range(1 << inputs)
        if not at & step
    )


def _cofactor(table: int, index: int, inputs: int, value: str | None) -> int:
    """The table with an input held at a constant, or as it is for None."""
    if value is None:
        return table
    step = 1 << index
    result = 0
    for at in range(1 << inputs):
        source = at | step if value == ONE else at & ~step
        result |= (table >> source & 1) << at
    return result
