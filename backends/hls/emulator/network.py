# SPDX-License-Identifier: Apache-2.0
"""From a dataflow graph to the steps of its emulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from qnnc.backends.hls.hls_node import hls_node
from qnnc.backends.hls.kernel import Kernel
from qnnc.backends.hls.primitives import conversion, copies
from qnnc.compiler.dataflow import Ports, Stream
from qnnc.compiler.dataflow.one_step import of_one_step, one_step
from qnnc.compiler.dataflow.stream_graph import Edge, End, StreamGraph, stream_graph
from qnnc.compiler.ir.operators.states import Loop, is_read, loops_in


@dataclass(frozen=True)
class Channel:
    """A stream of the emulator.

    Attributes:
        name: C++ identifier.
        stream: its geometry.
        tensor: name of the tensor that it carries.
    """

    name: str
    stream: Stream
    tensor: str


@dataclass(frozen=True)
class Step:
    """A kernel run once per frame, or once per step of a recurrence.

    Attributes:
        name: C++ identifier.
        source: name of the node, or "" for a conversion between two.
        steps: of the recurrence that it belongs to, 0 for none; steps of one follow each other.
    """

    name: str
    source: str
    kernel: Kernel
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    steps: int = 0


@dataclass
class Network:
    """Steps in order, and the channels between them and the outside.

    A channel's geometry is that of the whole sequence, also where it passes step by step.
    """

    steps: list[Step] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    inputs: list[Channel] = field(default_factory=list)
    outputs: list[Channel] = field(default_factory=list)
    repeated: int = 0
    """Steps of the recurrence that is being written."""

    def channel(self, stream: Stream, tensor: str) -> Channel:
        """A new channel."""
        made = Channel(f"s{len(self.channels)}", stream, tensor)
        self.channels.append(made)
        return made

    def step(
        self,
        source: str,
        kernel: Kernel,
        inputs: Sequence[Channel],
        tensors: Sequence[str],
        known: Sequence[Channel] = (),
    ) -> tuple[Channel, ...]:
        """A new step; returns its outputs, the last of which may be `known` channels."""
        streams = kernel.ports.outputs
        if self.repeated:
            streams = tuple(self.whole(stream) for stream in streams)
        new = len(streams) - len(known)
        pairs = list(zip(streams, tensors, strict=True))[:new]
        outputs = (*(self.channel(stream, tensor) for stream, tensor in pairs), *known)
        name = f"node_{len(self.steps)}"
        self.steps.append(Step(name, source, kernel, tuple(inputs), outputs, self.repeated))
        return outputs

    def whole(self, stream: Stream) -> Stream:
        """The stream of a sequence, from that of one step."""
        return replace(stream, shape=(1, self.repeated, *stream.shape[2:]))

    def seen(self, stream: Stream) -> Stream:
        """A channel's stream as its reader sees it."""
        return of_one_step(stream) if self.repeated else stream

    def converted(self, channel: Channel, lanes: int) -> Channel:
        """The channel in words of `lanes` elements."""
        if channel.stream.lanes == lanes:
            return channel
        stream = self.seen(channel.stream)
        kernel = conversion(stream, replace(stream, lanes=lanes))
        return self.step("", kernel, [channel], [channel.tensor])[0]


def network_of(model: ir.Model) -> Network:
    """The emulator of a model that has been lowered; its folding does not matter."""
    graph = stream_graph(model)
    network = Network()
    sources = {edge.target: _source(edge) for edge in graph.edges if edge.target is not None}
    ready = _Ready(network, graph)
    for edge in graph.inputs:
        assert edge.target is not None
        if edge.value not in ready:
            node = graph.nodes[edge.target.node]
            port = node.ports(node.folding()).inputs[edge.target.port]
            whole = replace(port, lanes=port.shape[-1])
            channel = network.channel(whole, str(edge.value.name))
            network.inputs.append(channel)
            ready.put(edge.value, channel)
    back = {edge.target: edge for edge in graph.feedback}
    returning: dict[End | None, Channel] = {}
    for index, steps in _in_order(model, graph):
        node = graph.nodes[index]
        network.repeated = steps
        if is_read(node.node):
            for n, port in enumerate(node.ports(node.folding()).inputs):
                edge = back[End(index, n)]
                returning[edge.source] = network.channel(port, str(edge.value.name))
            arriving = list(returning.values())[-len(node.node.outputs) :]
        else:
            ports = node.ports(node.folding())
            arriving = [ready.take(sources[End(index, n)]) for n in range(len(ports.inputs))]
        with one_step(node.node, steps) if steps else nullcontext(node) as single:
            emulated = hls_node(single)
            if emulated.transparent:
                ready.put(End(index, 0), arriving[0])
                continue
            streams = [network.seen(channel.stream) for channel in arriving]
            kernel = emulated.kernel(emulated.widest(streams))
        inputs = [
            network.converted(channel, port.lanes)
            for channel, port in zip(arriving, kernel.ports.inputs, strict=True)
        ]
        tensors = [str(value.name) for value in node.node.outputs]
        known = [c for n in range(len(tensors)) if (c := returning.get(End(index, n))) is not None]
        for number, channel in enumerate(network.step(node.name, kernel, inputs, tensors, known)):
            if channel not in known:
                ready.put(End(index, number), channel)
    network.repeated = 0
    network.outputs += [ready.take(_source(edge)) for edge in graph.outputs]
    return network


def _in_order(model: ir.Model, graph: StreamGraph) -> list[tuple[int, int]]:
    """Numbers of the nodes, and the steps of the recurrence that each belongs to (0 for none).

    Those of one recurrence follow each other, after all that it takes and before all it gives."""
    numbers = {node.node: i for i, node in enumerate(graph.nodes)}
    loop_of: dict[ir.Node, Loop] = {}
    for loop in loops_in(model.graph):
        loop_of.update(dict.fromkeys((loop.read, *loop.inside, loop.write), loop))
    order: list[tuple[int, int]] = []
    waiting: list[ir.Node] = []
    late: set[ir.Value] = set()
    for node in model.graph:
        if node in loop_of:
            if node is loop_of[node].write:
                loop = loop_of[node]
                for one in (loop.read, *loop.inside, loop.write):
                    if one in numbers:
                        order.append((numbers[one], loop.steps))
                late.difference_update(v for one in (loop.read, *loop.inside) for v in one.outputs)
                held, waiting = waiting, []
                for one in held:
                    if any(v in late for v in one.inputs):
                        waiting.append(one)
                        continue
                    late.difference_update(one.outputs)
                    if one in numbers:
                        order.append((numbers[one], 0))
            else:
                late.update(node.outputs)
        elif any(v in late for v in node.inputs):
            waiting.append(node)
            late.update(node.outputs)
        elif node in numbers:
            order.append((numbers[node], 0))
    return order


def _source(edge: Edge) -> End | ir.Value:
    return edge.source if edge.source is not None else edge.value


class _Ready:
    """Channels that wait for their consumers, by what gives them; a copy for each of several."""

    def __init__(self, network: Network, graph: StreamGraph) -> None:
        self._network = network
        self._wanted = Counter(_source(edge) for edge in graph.edges)
        self._waiting: dict[End | ir.Value, list[Channel]] = {}

    def __contains__(self, source: End | ir.Value) -> bool:
        return source in self._waiting

    def put(self, source: End | ir.Value, channel: Channel) -> None:
        count = self._wanted[source]
        if count < 2:
            self._waiting[source] = [channel]
            return
        stream = self._network.seen(channel.stream)
        kernel = copies(Ports((stream,), (stream,) * count))
        made = self._network.step("", kernel, [channel], [channel.tensor] * count)
        self._waiting[source] = list(made)

    def take(self, source: End | ir.Value) -> Channel:
        return self._waiting[source].pop()
