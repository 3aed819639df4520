# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a compressor tree: a plan of `compiler.dataflow.compressor` with names.

A column of a stage is one register vector, and all counters of a column are one instance on
slices of it, so that text and simulation grow with the number of columns, not of bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qnnc.compiler.dataflow.compressor import COUNTED, Addition, GatedAdders, Plan

Vector = tuple[str, int]
"""An expression and its width."""
Masked = tuple[str, int, int]
"""An expression, its width, and a mask of the bits that are the complement of what they stand
for. LUTs that take them in undo that at no cost, so that it is put off until then."""
Pieces = defaultdict[int, list[Masked]]


ABSORBED = 5
"""Inputs of a counter whose complements cost nothing: the other two are carries."""


@dataclass(frozen=True)
class GatedRows:
    """Operands of the additions of a `GatedAdders`: bit planes, the lowest first, each a vector
    of one bit per addition.

    Attributes:
        rows: planes of the two operands.
        gates: what each operand's bits are ANDed with.
        inverted: of each operand, the planes that enter inverted.
    """

    rows: tuple[Sequence[str], Sequence[str]]
    gates: tuple[str, str]
    inverted: tuple[Sequence[bool], Sequence[bool]]


@dataclass
class TreeText:
    """Lines of a tree, its clocked statements, and the numbers it leaves.

    Attributes:
        rows: of each number, the bit in each column; a leading ~ is a complement.
        results: their expressions.
    """

    declarations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    rows: list[dict[int, str]] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


class TreeWriter:
    """Writes one tree; all its names start with `prefix`."""

    def __init__(self, plan: Plan, prefix: str) -> None:
        self.plan = plan
        self.prefix = prefix
        self.text = TreeText()
        self._nets = 0

    def write(
        self,
        pairs: Mapping[int, Vector],
        bits: Mapping[int, Vector],
        gated: Sequence[GatedRows] = (),
        inverted: Mapping[int, int] | None = None,
    ) -> TreeText:
        """Write the tree over gated pairs and plain bits, a vector per column, and the operands of
        each of the plan's gated additions; the vectors' widths must be the plan's.

        Args:
            inverted: for each column, a mask of those plain bits that are complements.
        """
        pieces: Pieces = defaultdict(list)
        for column in range(self.plan.width):
            if column in bits:
                pieces[column].append((*bits[column], (inverted or {}).get(column, 0)))
            if column in pairs:
                self._count_pairs(pieces, column, pairs[column])
        for adders, operands in zip(self.plan.gated, gated, strict=True):
            self._add_gated(pieces, adders, operands)
        columns = self._registers(pieces, 0)
        for stage, counters in enumerate(self.plan.counter_stages, start=1):
            pieces = defaultdict(list)
            for column, vector in columns.items():
                self._count(pieces, column, vector, counters[column])
            columns = self._registers(pieces, stage)
        rows = [
            {
                c: f"{'~' if mask >> i & 1 else ''}{name}[{i}]"
                for c, (name, height, mask) in columns.items()
                if height > i
            }
            for i in range(max((height for _, height, _ in columns.values()), default=0))
        ]
        for stage_plan in self.plan.adder_stages:
            sums = [self._add(addition, rows) for addition in stage_plan.additions]
            rows = sums + [self._pass_row(rows[i]) for i in stage_plan.passed]
        self.text.rows = rows
        for row in rows:
            terms = [row.get(c, "1'b0") for c in reversed(range(self.plan.width))]
            self.text.results.append("{" + ", ".join(terms) + "}")
        return self.text

    def _name(self, kind: str) -> str:
        self._nets += 1
        return f"{self.prefix}_{kind}{self._nets - 1}"

    def _wire(self, width: int, expression: str | None = None) -> str:
        name = self._name("w")
        value = f" = {expression}" if expression else ""
        self.text.declarations.append(f"wire [{width - 1}:0] {name}{value};")
        return name

    def _instance(self, module: str, parameters: Mapping[str, object], ports: str) -> None:
        values = ", ".join(f".{name}({value})" for name, value in parameters.items())
        self.text.declarations += [f"{module} #({values})", f"    {self._name('i')} ({ports});"]

    def _register(self, name: str, expression: str, width: int) -> str:
        self.text.declarations.append(f"reg [{width - 1}:0] {name};")
        self.text.statements.append(f"{name} <= {expression};")
        return name

    def _registers(self, pieces: Pieces, stage: int) -> dict[int, Masked]:
        """One register (or wire) per column, of all pieces side by side."""
        columns = {}
        for column in sorted(pieces):
            width = mask = 0
            for piece in pieces[column]:
                mask |= piece[2] << width
                width += piece[1]
            if column < self.plan.width and width:
                parts = ", ".join(piece[0] for piece in reversed(pieces[column]))
                if stage or self.plan.registered:
                    name = f"{self.prefix}_s{stage}_c{column}"
                    columns[column] = (self._register(name, f"{{{parts}}}", width), width, mask)
                else:
                    columns[column] = (self._wire(width, f"{{{parts}}}"), width, mask)
        return columns

    def _count_pairs(self, pieces: Pieces, column: int, pairs: Vector) -> None:
        """Count threes of a vector of gated pairs, then what is left."""
        expression, count = pairs
        name = self._wire(count, expression)
        groups, left = divmod(count, 3)
        if groups:
            a, b, c = (f"{name}[{i * groups}+:{groups}]" for i in range(3))
            pieces[column].append((f"{a} ^ {b} ^ {c}", groups, 0))
            pieces[column + 1].append((f"({a} & {b}) | ({c} & ({a} | {b}))", groups, 0))
        if left == 1:
            pieces[column].append((f"{name}[{count - 1}]", 1, 0))
        elif left == 2:
            a, b = f"{name}[{count - 2}]", f"{name}[{count - 1}]"
            pieces[column].append((f"{a} ^ {b}", 1, 0))
            pieces[column + 1].append((f"{a} & {b}", 1, 0))

    def _add_gated(self, pieces: Pieces, adders: GatedAdders, operands: GatedRows) -> None:
        bits, count = adders.bits, adders.count
        total = self._wire((bits + 1) * count)
        parameters: dict[str, object] = {"COUNT": count, "BITS": bits}
        ports = []
        for side in (0, 1):
            letter = "ab"[side]
            mask = "".join(str(int(i)) for i in reversed(operands.inverted[side]))
            parameters[f"INVERT_{letter.upper()}"] = f"{bits}'b{mask}"
            planes = ", ".join(reversed(operands.rows[side]))
            ports += [f".{letter}({{{planes}}})", f".gate_{letter}({operands.gates[side]})"]
        self._instance("qnnc_gated_add", parameters, ", ".join([*ports, f".sum({total})"]))
        for bit in range(bits + 1):
            pieces[adders.column + bit].append((f"{total}[{bit * count}+:{count}]", count, 0))

    def _count(self, pieces: Pieces, column: int, vector: Masked, counters: int) -> None:
        name, height, mask = vector
        if counters:
            sums = [self._wire(counters) for _ in range(3)]
            ports = []
            for i, letter in enumerate("abcdefg"):
                part, undone = f"{name}[{i * counters}+:{counters}]", mask >> i * counters
                undone &= (1 << counters) - 1
                if i >= ABSORBED and undone:
                    part += f" ^ {counters}'d{undone}"
                ports.append(f".{letter}({part})")
            ports += [f".{port}({net})" for port, net in zip("stu", sums, strict=True)]
            parameters: dict[str, object] = {"COUNT": counters}
            absorbed = mask & ((1 << ABSORBED * counters) - 1)
            if absorbed:
                parameters["INVERT"] = f"{ABSORBED * counters}'d{absorbed}"
            self._instance("qnnc_count7", parameters, ", ".join(ports))
            for weight, net in enumerate(sums):
                pieces[column + weight].append((net, counters, 0))
        left = height - COUNTED * counters
        if left:
            rest = mask >> COUNTED * counters
            pieces[column].append((f"{name}[{height - 1}:{height - left}]", left, rest))

    def _add(self, addition: Addition, rows: Sequence[Mapping[int, str]]) -> dict[int, str]:
        chosen = [rows[i] for i in addition.rows]
        span = range(addition.low, addition.top + 1)
        if len(chosen) == 3:
            total = self._wire(len(span))
            self.text.declarations += add3_lines(self._name("i"), chosen, span, total)
            operands = [total]
        else:
            operands = two_operands(chosen, span)
        place = self._register(self._name("a"), " + ".join(operands), len(span))
        result = {addition.low + i: f"{place}[{i}]" for i in range(len(span))}
        below = {c: bit for row in chosen for c, bit in row.items() if c < addition.low}
        return {**result, **self._pass_row(below)}

    def _pass_row(self, row: Mapping[int, str]) -> dict[int, str]:
        if not row:
            return {}
        columns = sorted(row)
        parts = ", ".join(row[column].removeprefix("~") for column in reversed(columns))
        name = self._register(self._name("a"), f"{{{parts}}}", len(columns))
        return {
            column: f"{'~' if row[column].startswith('~') else ''}{name}[{i}]"
            for i, column in enumerate(columns)
        }


def add3_lines(
    name: str, rows: Sequence[Mapping[int, str]], columns: Sequence[int], total: str
) -> list[str]:
    """Lines of an instance that adds three rows over a range of columns."""
    used = [column for row in rows for column in row if column in columns]
    parameters = [f".WIDTH({len(columns)})", f".USED({max(used) - columns[0] + 1})"]
    ports = []
    for letter, row in zip("abc", rows, strict=True):
        bits = [row.get(column, "1'b0") for column in columns]
        mask = sum(1 << i for i, bit in enumerate(bits) if bit.startswith("~"))
        if mask:
            parameters.append(f".INVERT_{letter.upper()}({len(columns)}'d{mask})")
        joined = ", ".join(bit.removeprefix("~") for bit in reversed(bits))
        ports.append(f".{letter}({{{joined}}})")
    ports.append(f".sum({total})")
    return [f"qnnc_add3 #({', '.join(parameters)})", f"    {name} ({', '.join(ports)});"]


def two_operands(rows: Sequence[Mapping[int, str]], columns: Sequence[int]) -> list[str]:
    """Expressions of two rows, the complements in the second, where the LUT of a carry chain
    undoes them."""
    operands: tuple[list[str], list[str]] = ([], [])
    for column in reversed(columns):
        pair = sorted((row.get(column, "1'b0") for row in rows), key=lambda bit: bit[0] == "~")
        for operand, bit in zip(operands, pair, strict=True):
            operand.append(bit)
    return ["{" + ", ".join(operand) + "}" for operand in operands]
