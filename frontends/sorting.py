# SPDX-License-Identifier: Apache-2.0
"""Sorting a model's nodes so that each comes after what it reads."""

from __future__ import annotations

import heapq

import onnx

from qnnc.compiler.errors import ModelError, quote


def sort_nodes(graph: onnx.GraphProto) -> bool:
    """Sort the nodes topologically, keeping their order where it is possible already; returns
    whether anything moved. Tools that append nodes leave them unsorted, and ONNX Runtime loads
    such files.

    Raises:
        ModelError: a tensor is computed by two nodes, by none, or depends on itself.
    """
    nodes = list(graph.node)
    given = {value.name for value in graph.input} | {t.name for t in graph.initializer}
    given |= {tensor.values.name for tensor in graph.sparse_initializer}
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in producer or name in given:
                raise ModelError(
                    f"tensor {quote(name)} is computed twice, the second time by node "
                    f"{quote(node.name or node.op_type)}"
                )
            producer[name] = index
    users: list[list[int]] = [[] for _ in nodes]
    waits = [0] * len(nodes)
    for index, node in enumerate(nodes):
        for name in sorted(_read(node) - given):
            if name not in producer:
                raise ModelError(
                    f"node {quote(node.name or node.op_type)} reads tensor {quote(name)}, which "
                    "nothing computes"
                )
            users[producer[name]].append(index)
            waits[index] += 1
    order: list[int] = []
    ready = [index for index, count in enumerate(waits) if not count]
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            waits[user] -= 1
            if not waits[user]:
                heapq.heappush(ready, user)
    if len(order) < len(nodes):
        stuck = nodes[next(index for index, count in enumerate(waits) if count)]
        raise ModelError(
            f"node {quote(stuck.name or stuck.op_type)} depends on its own output; loops are not "
            "supported, unroll them before the export"
        )
    if order == list(range(len(nodes))):
        return False
    del graph.node[:]
    graph.node.extend(nodes[index] for index in order)
    return True


def _read(node: onnx.NodeProto) -> set[str]:
    """Tensors of the graph that a node reads, those that its subgraphs take from outside among
    them."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for inner in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
            own = {value.name for value in inner.input} | {t.name for t in inner.initializer}
            own |= {name for n in inner.node for name in n.output}
            for n in inner.node:
                names |= _read(n) - own
            names |= {value.name for value in inner.output} - own
    return names
