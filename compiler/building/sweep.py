# SPDX-License-Identifier: Apache-2.0
"""Speed against cost: the solver's optimum for many frame rates, clocks and kinds of memory."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import onnx_ir as ir

from qnnc.compiler.board import Board, find_board
from qnnc.compiler.buffering.timing import works
from qnnc.compiler.building.folding_file import folding_text
from qnnc.compiler.building.optimize import import_model
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.performance import estimated_performance
from qnnc.compiler.building.pipeline import folding_passes, lowering_passes
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import OptionError, TargetError
from qnnc.compiler.files import write_text
from qnnc.compiler.folders import owned_folder, refuse_foreign
from qnnc.compiler.page.tradeoffs import COSTS, tradeoff_page
from qnnc.compiler.passes.fit_budget import FitBudget, remove_inserted, total_of
from qnnc.compiler.passes.set_folding import SetFolding

MEMORIES = {"balanced": 1.0, "few-luts": 8.0, "few-brams": 1 / 8}
"""Price of a LUT, as a multiple of its share of the board, where LUTs or block RAM would do."""
MOST_RATES = 64
CSV, PAGE, FOLDINGS = "sweep.csv", "sweep.html", "foldings"


@dataclass(frozen=True)
class Point:
    """One accelerator, as the model of speed and resources has it.

    Attributes:
        number: of its folding file.
        wanted_fps: frames per second that were asked for, the most of those for which this folding
            is the optimum; None for the fastest that fits.
        clock_mhz: of the accelerator.
        memory: of `MEMORIES`.
        fps: that it gives.
        cycles: per frame.
        latency_us: from a frame's first word in to its last word out.
        LUT, FF, BRAM18, DSP: that it takes, FIFOs and width converters included.
        best: no other point is as good in frames/s, latency, LUT, BRAM18 and DSP and better in one.
        folding: file for `--folding`.
    """

    number: int
    wanted_fps: float | None
    clock_mhz: float
    memory: str
    fps: float
    cycles: int
    latency_us: float | None
    LUT: int
    FF: int
    BRAM18: int
    DSP: int
    best: bool = True
    folding: str = ""


def sweep(
    options: BuildOptions,
    *,
    clocks: Sequence[float] = (),
    memories: Sequence[str] = tuple(MEMORIES),
    rates: Sequence[float] = (),
    count: int = 8,
    notify: Callable[[str, int, int], None] = lambda text, done, count: None,
) -> list[Point]:
    """Fold a model for many goals, and write what was found to `options.out`: sweep.csv,
    sweep.html and a folding file for each point.

    Args:
        options: as for a build; `fps` and `clock_mhz` are not looked at.
        clocks: in MHz; the board's if there is none.
        memories: of `MEMORIES`.
        rates: frames per second; if there are none, the fastest and `count` - 1 halvings of it.
        notify: what is done, and how much of how much.

    Raises:
        OptionError: an option is wrong.
        TargetError: no folding reaches any of the goals.
        QnncError: the model is refused.
    """
    if unknown := [name for name in memories if name not in MEMORIES]:
        raise OptionError(f"--memory is of {', '.join(MEMORIES)}, not {unknown[0]!r}")
    if not 1 <= count <= MOST_RATES or len(rates) > MOST_RATES:
        raise OptionError(f"a sweep is over 1 to {MOST_RATES} frame rates")
    board = find_board(options.board)
    free = replace(options, fps=None)
    goals = [
        replace(free, clock_mhz=clock, budget=free.share) for clock in clocks or (board.clock_mhz,)
    ]
    for goal in goals:
        for rate in rates or (None,):
            replace(goal, fps=rate).check()
        board.clock(goal.asked_mhz)
    refuse_foreign(options.out, force=options.force)
    imported = import_model(options, golden=False)
    imported.manager.run(imported.model, lowering_passes(options))
    points: list[Point] = []
    texts: list[str] = []
    work = _Work(imported.model, board, notify, len(goals) * len(memories))
    for goal in goals:
        for memory in memories:
            for found, text in work.points(goal, memory, rates, count):
                points.append(replace(found, number=len(points)))
                texts.append(text)
    if not points:
        raise TargetError(f"no folding of this network reaches any of these goals: {work.refusal}")
    names = [f"{FOLDINGS}/{point.number:02d}.yaml" for point in points]
    marked = [
        replace(point, best=not any(_beats(other, point) for other in points), folding=name)
        for point, name in zip(points, names, strict=True)
    ]
    with owned_folder(options.out, force=options.force) as out:
        write_text(out / CSV, _table(marked))
        write_text(out / PAGE, tradeoff_page(options.model, board.name, board.resources, marked))
        (out / FOLDINGS).mkdir()
        for name, text in zip(names, texts, strict=True):
            write_text(out / name, text)
    return marked


class _Work:
    """Folds one lowered model again and again."""

    def __init__(
        self, model: ir.Model, board: Board, notify: Callable[[str, int, int], None], count: int
    ) -> None:
        self.model, self.board, self.notify = model, board, notify
        self.count, self.done = count, 0
        self.refusal = ""

    def points(
        self, goal: BuildOptions, memory: str, rates: Sequence[float], count: int
    ) -> list[tuple[Point, str]]:
        """The optimum for each rate, from the highest down, with its folding; each folding once."""
        self.notify(f"{goal.asked_mhz:g} MHz, {memory}", self.done, self.count)
        found: list[tuple[Point, str]] = []
        if rates:
            for rate in sorted(rates, reverse=True):
                found += self._folded(replace(goal, fps=rate), memory)
        else:
            found += self._folded(goal, memory)
            fastest = found[0][0].fps if found else 0.0
            for step in range(1, count if found else 0):
                found += self._folded(replace(goal, fps=fastest / 2**step), memory)
        self.done += 1
        self.notify(f"{goal.asked_mhz:g} MHz, {memory}", self.done, self.count)
        return list({text: (point, text) for point, text in reversed(found)}.values())[::-1]

    def _folded(self, goal: BuildOptions, memory: str) -> list[tuple[Point, str]]:
        remove_inserted(self.model)
        try:
            for step in folding_passes(goal, self.board):
                if isinstance(step, SetFolding | FitBudget):
                    step.lut_price = MEMORIES[memory]
                step.run(self.model)
        except TargetError as error:
            self.refusal = str(error)
            return []
        graph = stream_graph(self.model)
        clock = self.board.clock(goal.asked_mhz)
        speed = estimated_performance(graph, self.board, clock, works(graph))
        late = speed.latency_cycles_estimate
        used = {name: round(n) for name, n in total_of(graph).as_dict().items()}
        point = Point(
            number=0,
            wanted_fps=goal.fps,
            clock_mhz=round(clock, 3),
            memory=memory,
            fps=speed.fps,
            cycles=speed.ii_cycles_estimate,
            latency_us=None if late is None else round(late / clock, 1),
            LUT=used["LUT"],
            FF=used["FF"],
            BRAM18=used["BRAM18"],
            DSP=used["DSP"],
        )
        return [(point, folding_text(graph))]


def _beats(one: Point, other: Point) -> bool:
    """One is as good in everything and better in something, or the same and came before."""

    def figures(point: Point) -> list[float]:
        costs = (getattr(point, name) for name in COSTS)
        return [-point.fps, *(math.inf if cost is None else cost for cost in costs)]

    a, b = figures(one), figures(other)
    if a == b:
        return one.number < other.number
    return all(x <= y for x, y in zip(a, b, strict=True))


def _table(points: Sequence[Point]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Point)], lineterminator="\n")
    writer.writeheader()
    for point in points:
        plain: dict[str, Any] = asdict(point)
        writer.writerow(plain)
    return text.getvalue()
