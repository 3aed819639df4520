# SPDX-License-Identifier: Apache-2.0
"""The graph as pictures, one per row.

Each row with the edges below it is a picture of its own, so that the page can set them below each
other on a phone, in columns on a screen and over the pages of a print.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qnnc.compiler.page.graph import Box, Graph
from qnnc.compiler.page.layout import Layout, Row, Segment, layered
from qnnc.compiler.page.text import shortened

WIDTH = 226.0
MARGIN = 6.0
STUB = 13.0
"""Room above a row for the heads of the arrows."""
BELOW = 24.0
"""Room for the edges below a row."""
TITLE, LINE, PADDING, BAR = 17.0, 15.0, 8.0, 7.0
LETTERS, NAME = 36, 24
"""Of a line in a box, and of its title."""
APART = 26.0
"""Between edges at one side of a box, at most."""
NEAR = 0.05
"""A bend that nobody sees."""


@dataclass(frozen=True)
class Text:
    """Words at a place."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Shape:
    """A box in a picture."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    texts: list[Text]
    bar: float


@dataclass(frozen=True)
class Picture:
    """A row: its size, boxes, edges as paths, heads of arrows as (x, y), words beside edges."""

    width: float
    height: float
    shapes: list[Shape]
    paths: list[str]
    heads: list[tuple[float, float]]
    labels: list[Text]


def pictures(graph: Graph) -> list[Picture] | None:
    """Draw a graph from top to bottom; None if it is too large."""
    edges = [(join.source, join.target) for join in graph.joins]
    found = layered([WIDTH] * len(graph.boxes), edges, graph.late)
    if found is None:
        return None
    starts, ends = _sides(graph, found)
    into: dict[int, list[int]] = defaultdict(list)
    for edge, join in enumerate(graph.joins):
        into[join.target].append(edge)
    return [_picture(graph, found.width, row, starts, ends, into) for row in found.rows]


def _height(box: Box) -> float:
    bar = BAR if box.share is not None else 0.0
    return PADDING + TITLE + LINE * len(box.lines) + bar + PADDING / 2


def _sides(graph: Graph, layout: Layout) -> tuple[dict[int, float], dict[int, float]]:
    """How far from a box's middle each edge leaves it and reaches it, in the order in which the
    edges come from or go to the sides."""
    leaving: dict[int, list[Segment]] = defaultdict(list)
    reaching: dict[int, list[Segment]] = defaultdict(list)
    for row in layout.rows:
        for segment in row.below:
            join = graph.joins[segment.edge]
            if segment.first:
                leaving[join.source].append(segment)
            if segment.last:
                reaching[join.target].append(segment)
    starts = _fanned(sorted(found, key=lambda s: s.end) for found in leaving.values())
    ends = _fanned(sorted(found, key=lambda s: s.start) for found in reaching.values())
    return starts, ends


def _fanned(groups: Iterable[list[Segment]]) -> dict[int, float]:
    found: dict[int, float] = {}
    for group in groups:
        apart = min(APART, WIDTH / (len(group) + 1))
        for place, segment in enumerate(group):
            found[segment.edge] = (place - (len(group) - 1) / 2) * apart
    return found


def _picture(
    graph: Graph,
    width: float,
    row: Row,
    starts: Mapping[int, float],
    ends: Mapping[int, float],
    into: Mapping[int, Sequence[int]],
) -> Picture:
    tall = max((_height(graph.boxes[node]) for node, _ in row.nodes), default=0.0)
    bottom = STUB + tall
    height = bottom + (BELOW if row.below else 2.0)
    shapes = [_shape(graph.boxes[node], x + MARGIN) for node, x in row.nodes]
    under = {shape.box.key: shape.y + shape.height for shape in shapes}
    paths = [f"M{x + MARGIN:.1f} 0V{bottom:.1f}" for x in row.points]
    labels: list[Text] = []
    for segment in row.below:
        join = graph.joins[segment.edge]
        x, top = segment.start + MARGIN, bottom
        if segment.first:
            x, top = x + starts[segment.edge], under[graph.boxes[join.source].key]
        end = segment.end + MARGIN + (ends[segment.edge] if segment.last else 0.0)
        paths.append(_curve(x, top, bottom, end, height))
        if segment.first and join.text:
            straight = abs(end - x) < NEAR
            y = bottom + 12 if straight else height - 1
            labels.append(Text(end + 5, y, join.text))
    heads = [
        (x + MARGIN + ends[edge], STUB) for node, x in row.nodes for edge in into.get(node, ())
    ]
    return Picture(width + 2 * MARGIN, height, shapes, paths, heads, labels)


def _curve(x: float, top: float, bottom: float, end: float, height: float) -> str:
    if abs(end - x) < NEAR:
        return f"M{x:.1f} {top:.1f}V{height:.1f}"
    middle = (bottom + height) / 2
    turn = f"C{x:.1f} {middle:.1f} {end:.1f} {middle:.1f} {end:.1f} {height:.1f}"
    return f"M{x:.1f} {top:.1f}V{bottom:.1f}{turn}"


def _shape(box: Box, middle: float) -> Shape:
    left = middle - WIDTH / 2
    texts = [Text(left + 10, STUB + PADDING + 10, shortened(box.title, NAME))]
    for number, line in enumerate(box.lines):
        y = STUB + PADDING + TITLE + LINE * number + 9
        texts.append(Text(left + 10, y, shortened(line, LETTERS)))
    bar = 0.0 if box.share is None else max(2.0, box.share * (WIDTH - 20))
    return Shape(box, left, STUB, WIDTH, _height(box), texts, bar)
