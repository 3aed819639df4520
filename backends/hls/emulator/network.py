# SPDX-License-Identifier: Apache-2.0
"""From a dataflow graph to the steps of its emulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from qnnc.backends.hls.hls_node import hls_node
from qnnc.backends.hls.kernel import Kernel
from qnnc.backends.hls.nodes.streaming_data_width_converter import conversion
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.stream_graph import End, StreamGraph, stream_graph
from qnnc.compiler.errors import ModelError, quote


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
    """A kernel run once a frame.

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
    """The emulator of a model that has been lowered; its folding does not matter.

    Raises:
        ModelError: a stream has several consumers.
    """
    graph = stream_graph(model)
    network = Network()
    producers = _producers(graph)
    ready: dict[End, Channel] = {}
    external: dict[ir.Value, Channel] = {}
    for edge in graph.inputs:
        assert edge.target is not None
        node = graph.nodes[edge.target.node]
        port = node.ports(node.folding()).inputs[edge.target.port]
        whole = replace(port, lanes=port.shape[-1])
        channel = network.channel(whole, str(edge.value.name))
        network.inputs.append(channel)
        external[edge.value] = channel
    for index, node in enumerate(graph.nodes):
        ports = node.ports(node.folding())
        arriving = []
        for number in range(len(ports.inputs)):
            source = producers[End(index, number)]
            arriving.append(ready[source] if isinstance(source, End) else external[source])
        emulated = hls_node(node)
        if emulated.transparent:
            ready[End(index, 0)] = arriving[0]
            continue
        kernel = emulated.kernel(emulated.widest([channel.stream for channel in arriving]))
        inputs = [
            network.converted(channel, port.lanes)
            for channel, port in zip(arriving, kernel.ports.inputs, strict=True)
        ]
        tensors = [str(value.name) for value in node.node.outputs]
        for number, channel in enumerate(network.step(node.name, kernel, inputs, tensors)):
            ready[End(index, number)] = channel
    for edge in graph.outputs:
        assert edge.source is not None
        network.outputs.append(ready[edge.source])
    return network


def _producers(graph: StreamGraph) -> dict[End, End | ir.Value]:
    """Where each node input comes from; every stream has one consumer."""
    found: dict[End, End | ir.Value] = {}
    taken: set[End | ir.Value] = set()
    for edge in graph.edges:
        source = edge.source if edge.source is not None else edge.value
        if source in taken:
            raise ModelError(f"tensor {quote(edge.value.name)} has several consumers")
        taken.add(source)
        if edge.target is not None:
            found[edge.target] = source
    return found
