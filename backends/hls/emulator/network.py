# SPDX-License-Identifier: Apache-2.0
"""From a dataflow graph to the steps of its emulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from qnnc.backends.hls.hls_node import hls_node
from qnnc.backends.hls.kernel import Kernel
from qnnc.backends.hls.primitives import conversion, copies
from qnnc.compiler.dataflow import Ports, Stream
from qnnc.compiler.dataflow.stream_graph import Edge, End, StreamGraph, stream_graph


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
    """A kernel run once per frame.

    Attributes:
        name: C++ identifier.
        source: name of the node, or "" for a conversion between two.
    """

    name: str
    source: str
    kernel: Kernel
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]


@dataclass
class Network:
    """Steps in order, and the channels between them and the outside."""

    steps: list[Step] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    inputs: list[Channel] = field(default_factory=list)
    outputs: list[Channel] = field(default_factory=list)

    def channel(self, stream: Stream, tensor: str) -> Channel:
        """A new channel."""
        made = Channel(f"s{len(self.channels)}", stream, tensor)
        self.channels.append(made)
        return made

    def step(
        self, source: str, kernel: Kernel, inputs: Sequence[Channel], tensors: Sequence[str]
    ) -> tuple[Channel, ...]:
        """A new step; returns its outputs."""
        outputs = tuple(
            self.channel(stream, tensor)
            for stream, tensor in zip(kernel.ports.outputs, tensors, strict=True)
        )
        self.steps.append(Step(f"node_{len(self.steps)}", source, kernel, tuple(inputs), outputs))
        return outputs

    def converted(self, channel: Channel, lanes: int) -> Channel:
        """The channel in words of `lanes` elements."""
        if channel.stream.lanes == lanes:
            return channel
        kernel = conversion(channel.stream, replace(channel.stream, lanes=lanes))
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
    for index, node in enumerate(graph.nodes):
        ports = node.ports(node.folding())
        arriving = [ready.take(sources[End(index, n)]) for n in range(len(ports.inputs))]
        emulated = hls_node(node)
        if emulated.transparent:
            ready.put(End(index, 0), arriving[0])
            continue
        kernel = emulated.kernel(emulated.widest([channel.stream for channel in arriving]))
        inputs = [
            network.converted(channel, port.lanes)
            for channel, port in zip(arriving, kernel.ports.inputs, strict=True)
        ]
        tensors = [str(value.name) for value in node.node.outputs]
        for number, channel in enumerate(network.step(node.name, kernel, inputs, tensors)):
            ready.put(End(index, number), channel)
    network.outputs += [ready.take(_source(edge)) for edge in graph.outputs]
    return network


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
        kernel = copies(Ports((channel.stream,), (channel.stream,) * count))
        made = self._network.step("", kernel, [channel], [channel.tensor] * count)
        self._waiting[source] = list(made)

    def take(self, source: End | ir.Value) -> Channel:
        return self._waiting[source].pop()
