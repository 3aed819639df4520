# SPDX-License-Identifier: Apache-2.0
"""From integer operators to dataflow nodes, one family of operators a file.

Operators work on tensors as ONNX lays them out, channels first; dataflow nodes pass streams,
channels last. Here every tensor of the accelerator gets its stream, with the order of its
elements; operators that only move elements change that order and cost nothing, until a node
needs another one and a Shuffle puts it right.
"""
