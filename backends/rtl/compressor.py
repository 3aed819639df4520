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
Pieces = defaultdict[int, list[Vector]]


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
    """Lines of a tree, its clocked statements, and the expressions of the numbers it leaves."""

    declarations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
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
    ) -> TreeText:
        """Write the tree over gated pairs and plain bits, a vector a column, and the operands of
        each of the plan's gated additions; the vectors' widths must be the plan's."""
        pieces: Pieces = defaultdict(list)
        for column in range(self.plan.width):
            if column in bits:
                pieces[column].append(bits[column])
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
            {c: f"{name}[{i}]" for c, (name, height) in columns.items() if height > i}
            for i in range(max((height for _, height in columns.values()), default=0))
        ]
        for stage_plan in self.plan.adder_stages:
            sums = [self._add(addition, rows) for addition in stage_plan.additions]
            rows = sums + [self._pass_row(rows[i]) for i in stage_plan.passed]
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

    def _registers(self, pieces: Pieces, stage: int) -> dict[int, Vector]:
        """One register (or wire) a column, of all pieces side by side."""
        columns = {}
        for column in sorted(pieces):
            width = sum(piece[1] for piece in pieces[column])
            if column < self.plan.width and width:
                parts = ", ".join(piece[0] for piece in reversed(pieces[column]))
                if stage or self.plan.registered:
                    name = f"{self.prefix}_s{stage}_c{column}"
                    columns[column] = (self._register(name, f"{{{parts}}}", width), width)
                else:
                    columns[column] = (self._wire(width, f"{{{parts}}}"), width)
        return columns

    def _count_pairs(self, pieces: Pieces, column: int, pairs: Vector) -> None:
        """Count threes of a vector of gated pairs, then what is left."""
        expression, count = pairs
        name = self._wire(count, expression)
        groups, left = divmod(count, 3)
        if groups:
            a, b, c = (f"{name}[{i * groups}+:{groups}]" for i in range(3))
            pieces[column].append((f"{a} ^ {b} ^ {c}", groups))
            pieces[column + 1].append((f"({a} & {b}) | ({c} & ({a} | {b}))", groups))
        if left == 1:
            pieces[column].append((f"{name}[{count - 1}]", 1))
        elif left == 2:
            a, b = f"{name}[{count - 2}]", f"{name}[{count - 1}]"
            pieces[column].append((f"{a} ^ {b}", 1))
            pieces[column + 1].append((f"{a} & {b}", 1))

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
            pieces[adders.column + bit].append((f"{total}[{bit * count}+:{count}]", count))

    def _count(self, pieces: Pieces, column: int, vector: Vector, counters: int) -> None:
        name, height = vector
        if counters:
            sums = [self._wire(counters) for _ in range(3)]
            ports = [
                f".{letter}({name}[{i * counters}+:{counters}])"
                for i, letter in enumerate("abcdefg")
            ]
            ports += [f".{port}({net})" for port, net in zip("stu", sums, strict=True)]
            self._instance("qnnc_count7", {"COUNT": counters}, ", ".join(ports))
            for weight, net in enumerate(sums):
                pieces[column + weight].append((net, counters))
        left = height - COUNTED * counters
        if left:
            pieces[column].append((f"{name}[{height - 1}:{height - left}]", left))

    def _add(self, addition: Addition, rows: Sequence[Mapping[int, str]]) -> dict[int, str]:
        chosen = [rows[i] for i in addition.rows]
        span = range(addition.top, addition.low - 1, -1)
        operands = [
            "{" + ", ".join(row.get(column, "1'b0") for column in span) + "}" for row in chosen
        ]
        if len(operands) == 3:
            total = self._wire(len(span))
            ports = [f".{letter}({o})" for letter, o in zip("abc", operands, strict=True)]
            parameters = {"WIDTH": len(span), "USED": max(map(max, chosen)) - addition.low + 1}
            self._instance("qnnc_add3", parameters, ", ".join([*ports, f".sum({total})"]))
            operands = [total]
        place = self._register(self._name("a"), " + ".join(operands), len(span))
        result = {addition.low + i: f"{place}[{i}]" for i in range(len(span))}
        below = {c: bit for row in chosen for c, bit in row.items() if c < addition.low}
        return {**result, **self._pass_row(below)}

    def _pass_row(self, row: Mapping[int, str]) -> dict[int, str]:
        if not row:
            return {}
        columns = sorted(row)
        parts = ", ".join(row[column] for column in reversed(columns))
        name = self._register(self._name("a"), f"{{{parts}}}", len(columns))
        return {column: f"{name}[{i}]" for i, column in enumerate(columns)}
