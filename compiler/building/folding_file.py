# SPDX-License-Identifier: Apache-2.0
"""folding.yaml: the folding of a whole graph."""

from __future__ import annotations

from qnnc.compiler.dataflow.plumbing import Fifo, WidthConverter
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.compiler.folding.by_hand import folding_of
from qnnc.compiler.folding.settings import settings_text
from qnnc.compiler.ir.facts import sources

FOLDING = "folding.yaml"
"""The file's name in a build's folder."""


def folding_text(graph: StreamGraph) -> str:
    """The folding of every node, to be read by `--folding`; FIFOs and width converters, which come
    after the folding, are left out."""
    return settings_text(
        (node.name, folding_of(node), sources(node.node))
        for node in graph.nodes
        if not isinstance(node, Fifo | WidthConverter)
    )
