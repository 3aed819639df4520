# SPDX-License-Identifier: Apache-2.0
"""Layered drawings of random graphs: what any of them has to hold."""

from __future__ import annotations

import itertools
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qnnc.compiler.page.layout import GAP, MOST, Layout, layered

WIDTH = 100.0
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is not a failure."""


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """Nodes, and edges between random ones, in a random numbering."""
    count = draw(st.integers(1, 14))
    names = draw(st.permutations(range(count)))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    drawn = draw(st.lists(pairs, max_size=25))
    return count, [(names[min(p)], names[max(p)]) for p in drawn if p[0] != p[1]]


def rows_of(layout: Layout) -> dict[int, int]:
    return {node: index for index, row in enumerate(layout.rows) for node, _ in row.nodes}


@patient
@given(graphs(), st.sets(st.integers(0, 13)))
def test_edges_go_down_and_nothing_overlaps(
    graph: tuple[int, list[tuple[int, int]]], late: set[int]
) -> None:
    count, edges = graph
    layout = layered([WIDTH] * count, edges, late)
    assert layout is not None
    rows = rows_of(layout)
    assert sorted(rows) == list(range(count))
    assert all(rows[a] < rows[b] for a, b in edges)
    for row in layout.rows:
        taken = [(x - WIDTH / 2, x + WIDTH / 2) for _, x in row.nodes]
        taken += [(x, x) for x in row.points]
        taken.sort()
        assert all(b[0] - a[1] >= GAP - 1e-6 for a, b in itertools.pairwise(taken))
        assert all(left >= -1e-6 and right <= layout.width + 1e-6 for left, right in taken)


@patient
@given(graphs())
def test_an_edge_is_a_line_from_node_to_node(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    layout = layered([WIDTH] * count, edges, ())
    assert layout is not None
    rows = rows_of(layout)
    places = {node: x for row in layout.rows for node, x in row.nodes}
    for number, (a, b) in enumerate(edges):
        parts = [s for row in layout.rows for s in row.below if s.edge == number]
        assert len(parts) == rows[b] - rows[a]
        assert parts[0].first and parts[-1].last
        assert (parts[0].start, parts[-1].end) == (places[a], places[b])
        assert all(s.end == t.start for s, t in itertools.pairwise(parts))


def test_constants_stand_above_their_users() -> None:
    chain = [(0, 1), (1, 2), (2, 3)]
    weights = [(4, 5), (5, 3)]  # a quantized weight of the last node
    above = layered([WIDTH] * 6, chain + weights, range(1, 6))
    assert above is not None and [rows_of(above)[i] for i in (4, 5, 3)] == [1, 2, 3]


def test_a_chain_is_straight() -> None:
    layout = layered([WIDTH] * 50, [(i, i + 1) for i in range(49)], ())
    assert layout is not None and layout.width == WIDTH
    assert {s.start for row in layout.rows for s in row.below} == {WIDTH / 2}


def test_large_graphs_are_drawn_quickly_or_not_at_all() -> None:
    count = 2000
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, i + 7) for i in range(0, count - 7, 7)]
    start = time.process_time()
    assert layered([WIDTH] * count, edges, ()) is not None
    assert time.process_time() - start < 5
    skips = [(i, count - 1 - i) for i in range(count // 2 - 1)]
    assert layered([WIDTH] * count, edges + skips, ()) is None
    assert layered([WIDTH] * (MOST + 1), [], ()) is None
    assert layered([WIDTH] * 2, [(0, 1), (1, 0)], ()) is None
