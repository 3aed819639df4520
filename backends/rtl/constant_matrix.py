# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a constant matrix: a plan of `compiler.dataflow.constant_matrix` with names.

Registers of all stages move while `run` is high, so that there is nothing else to control.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qnnc.backends.rtl.compressor import ABSORBED, TreeText, TreeWriter, add3_lines, two_operands
from qnnc.compiler.dataflow.compressor import Plan
from qnnc.compiler.dataflow.constant_matrix import MatrixPlan, Operand, OutputPlan
from qnnc.compiler.dataflow.constant_matrix.plan import constant_bits


@dataclass
class MatrixText:
    """Lines of a matrix: declarations, clocked statements."""

    declarations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)


class MatrixWriter:
    """Writes one matrix.

    Args:
        plan: of the matrix.
        word: net of the input word, element 0 in the low bits.
        totals: net of the output word.
        total_bits: bits of an element of it.
    """

    def __init__(self, plan: MatrixPlan, word: str, totals: str, total_bits: int) -> None:
        self.plan = plan
        self.word, self.totals, self.total_bits = word, totals, total_bits
        self.text = MatrixText()

    def write(self) -> MatrixText:
        """Shared terms, then the outputs."""
        triples: set[int] = set()
        for number in sorted(self.plan.used):
            term = self.plan.terms[number]
            if term.kind == "input":
                self._input(number)
            elif term.kind == "count":
                if term.triple not in triples:
                    triples.add(term.triple)
                    self._parity(number)
                self._count(number)
            else:
                self._sum(number)
        for number, output in enumerate(self.plan.outputs):
            self._output(number, output)
        return self.text

    # --- shared terms -----------------------------------------------------------------------

    def _input(self, number: int) -> None:
        term = self.plan.terms[number]
        bits = f"{self.word}[{number * term.bits}+:{term.bits}]"
        self.text.declarations.append(f"wire [{term.bits - 1}:0] {_term(number, 0)} = {bits};")
        self._keep(f"t{number}", term.bits, 0, self.plan.last_needed[number])

    def _parity(self, number: int) -> None:
        term = self.plan.terms[number]
        operands = " ^ ".join(_term(o.term, term.stage - 1) for o in term.operands)
        self._register(f"p{term.triple}_{term.stage}", 1, operands)
        self._keep(f"p{term.triple}", 1, term.stage, self.plan.parities[term.triple])

    def _count(self, number: int) -> None:
        """The high bit of a count: two or three of three."""
        term = self.plan.terms[number]
        a, b, c = (
            f"{'~' if o.inverted else ''}{_term(o.term, term.stage - 1)}" for o in term.operands
        )
        self._register(_term(number, term.stage), 1, f"({a} & {b}) | ({c} & ({a} | {b}))")
        self._keep(f"t{number}", 1, term.stage, self.plan.last_needed[number])

    def _sum(self, number: int) -> None:
        """Columns below the higher shift are one operand's alone."""
        term = self.plan.terms[number]
        low = max(o.shift for o in term.operands)
        width = term.bits - low
        columns = range(low, low + width)
        operands = two_operands([self._row(o, term.stage - 1) for o in term.operands], columns)
        high = f"h{number}"
        self.text.declarations.append(f"wire [{width - 1}:0] {high} = {' + '.join(operands)};")
        below = [self._bit(o, term.stage - 1, c) for c in range(low) for o in term.operands]
        parts = [high, *reversed([bit for bit in below if bit])]
        self._register(_term(number, term.stage), term.bits, "{" + ", ".join(parts) + "}")
        self._keep(f"t{number}", term.bits, term.stage, self.plan.last_needed[number])

    def _row(self, operand: Operand, stage: int) -> dict[int, str]:
        columns = range(operand.shift, operand.shift + self.plan.terms[operand.term].bits)
        return {column: self._bit(operand, stage, column) for column in columns}

    def _bit(self, operand: Operand, stage: int, column: int) -> str:
        """The bit of an operand in a column; empty if it has none there."""
        term, index = self.plan.terms[operand.term], column - operand.shift
        if not 0 <= index < term.bits:
            return ""
        inverted = operand.inverted
        if term.kind != "count":
            net = _term(operand.term, stage)
            net = f"{net}[{index}]" if term.bits > 1 else net
            # the highest bit of a signed input counts the other way
            inverted ^= term.kind == "input" and term.offset > 0 and index == term.bits - 1
        elif index:
            net = _term(operand.term, stage)
        else:
            net = f"p{term.triple}_{stage}"
            inverted ^= sum(o.inverted for o in term.operands) % 2 == 1
        return f"~{net}" if inverted else net

    # --- outputs ----------------------------------------------------------------------------

    def _output(self, number: int, output: OutputPlan) -> None:
        plan = self.plan
        total = f"y{number}"
        if output.tree is None:
            self._wire(total, output.bits, f"{output.bits}'d{output.constant}")
            self._assign(number, output, total)
            return
        columns: defaultdict[int, list[str]] = defaultdict(list)
        for term, shift, sign in output.digits:
            operand = Operand(term, shift, sign < 0)
            for column, bit in self._row(operand, plan.shared_stages).items():
                if column < output.bits:
                    columns[column].append(bit)
        constant = dict.fromkeys(constant_bits(output.constant), "1'b1")
        if output.in_heap:
            for column, bit in constant.items():
                columns[column].append(bit)
        tree = self._tree(f"o{number}", output.tree, columns)
        rows = list(tree.rows)
        if constant and not output.in_heap:
            rows.append(constant)
        self._add(total, output.bits, rows)
        late = plan.tree_stages - output.latency
        for stage in range(late):
            self._register(
                f"{total}_{stage + 1}", output.bits, f"{total}_{stage}" if stage else total
            )
        self._assign(number, output, f"{total}_{late}" if late else total)

    def _tree(self, prefix: str, tree: Plan, columns: Mapping[int, list[str]]) -> TreeText:
        """A tree over bits of which some are complements: those go first, where counters undo
        them, and what is left of them last, where no counter takes them."""
        counters = tree.counter_stages[0] if tree.counter_stages else (0,) * tree.width
        vectors, masks = {}, {}
        for column, bits in columns.items():
            inverted = [bit for bit in bits if bit.startswith("~")]
            plain = [bit for bit in bits if not bit.startswith("~")]
            first = ABSORBED * counters[column]
            ordered = [*inverted[:first], *plain, *inverted[first:]]
            joined = ", ".join(bit.removeprefix("~") for bit in reversed(ordered))
            vectors[column] = (f"{{{joined}}}", len(ordered))
            masks[column] = sum(1 << i for i, bit in enumerate(ordered) if bit.startswith("~"))
        text = TreeWriter(tree, prefix).write({}, vectors, inverted=masks)
        self.text.declarations += text.declarations
        self.text.statements += text.statements
        return text

    def _add(self, total: str, width: int, rows: Sequence[Mapping[int, str]]) -> None:
        columns = range(width)
        if len(rows) == 1:
            bits = [rows[0].get(column, "1'b0") for column in reversed(columns)]
            self._wire(total, width, f"{{{', '.join(bits)}}}")
            return
        if len(rows) == 2:
            self._wire(total, width, " + ".join(two_operands(rows, columns)))
            return
        self._wire(total, width)
        self.text.declarations += add3_lines(f"last_{total}", rows, columns, total)

    def _assign(self, number: int, output: OutputPlan, net: str) -> None:
        more = self.total_bits - output.bits
        fill = f"{net}[{output.bits - 1}]" if output.signed else "1'b0"
        value = f"{{{{{more}{{{fill}}}}}, {net}}}" if more > 0 else net
        first = number * self.total_bits
        self.text.declarations.append(
            f"assign {self.totals}[{first}+:{self.total_bits}] = {value};"
        )

    # --- lines ------------------------------------------------------------------------------

    def _wire(self, name: str, width: int, expression: str = "") -> None:
        value = f" = {expression}" if expression else ""
        self.text.declarations.append(f"wire [{width - 1}:0] {name}{value};")

    def _register(self, name: str, width: int, expression: str) -> None:
        self.text.declarations.append(f"reg [{width - 1}:0] {name};")
        self.text.statements.append(f"{name} <= {expression};")

    def _keep(self, name: str, width: int, first: int, last: int) -> None:
        for stage in range(first + 1, last + 1):
            self._register(f"{name}_{stage}", width, f"{name}_{stage - 1}")


def _term(number: int, stage: int) -> str:
    return f"t{number}_{stage}"
