# SPDX-License-Identifier: Apache-2.0
"""Outputs of the network are not quantized.

ONNX Runtime's quantizer rounds what the last layer gives to 8 bits as well. The host reads that
layer's sums as they are, so that rounding them costs hardware and answers for nothing.
"""

from __future__ import annotations

import onnx

ON_THE_HOST = ("Softmax", "LogSoftmax")
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def free_ends(proto: onnx.ModelProto) -> None:
    """Take out the pairs of quantizers right before the outputs, and those before a Softmax that
    is followed by nothing."""
    graph = proto.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    ends = {value.name for value in graph.output}
    gone: set[str] = set()
    for value in graph.output:
        name = value.name
        pair = _pair(name, makers)
        if pair is not None and _alone(pair, readers, ends):
            # the output keeps its name: what was rounded is now called so
            first = makers.get(pair[0].input[0])
            inner = pair[0].input[0]
            if first is None or inner in ends or len(readers.get(inner, [])) != 1:
                continue
            first.output[list(first.output).index(inner)] = name
            makers[name] = first
            gone.update(_key(node) for node in pair)
        last = makers.get(name)
        if last is not None and last.op_type in ON_THE_HOST and not readers.get(name):
            before = _pair(last.input[0], makers)
            if before is not None and len(readers[last.input[0]]) == 1:
                last.input[0] = before[0].input[0]
                gone.add(_key(before[1]))
                if len(readers[before[0].output[0]]) == 1:
                    gone.add(_key(before[0]))
    kept = [
        onnx.NodeProto.FromString(n.SerializeToString()) for n in graph.node if _key(n) not in gone
    ]
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    del graph.value_info[:]  # of tensors that are no longer there


def _key(node: onnx.NodeProto) -> str:
    """What tells the quantizer's nodes apart; outputs would not, which are renamed here."""
    return f"{node.op_type} {node.name} {list(node.input)}"


def _pair(
    name: str, makers: dict[str, onnx.NodeProto]
) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
    """The quantizer and dequantizer that give a tensor, if such do."""
    second = makers.get(name)
    if second is None or second.op_type != DEQUANTIZE:
        return None
    first = makers.get(second.input[0])
    return (first, second) if first is not None and first.op_type == QUANTIZE else None


def _alone(
    pair: tuple[onnx.NodeProto, onnx.NodeProto],
    readers: dict[str, list[onnx.NodeProto]],
    ends: set[str],
) -> bool:
    """Nothing but the output reads what a pair gives."""
    code, value = pair[0].output[0], pair[1].output[0]
    return len(readers.get(code, [])) == 1 and not readers.get(value) and code not in ends
