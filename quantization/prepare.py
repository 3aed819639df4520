# SPDX-License-Identifier: Apache-2.0
"""A float model made ready: shapes known, opset 21, batch norms in the weights before them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from onnx import numpy_helper

from qnnc.compiler.errors import ModelError, OptionError, quote
from qnnc.frontends.onnx_file import (
    read_proto,
    set_input_shape,
    to_canonical_opset,
    uses_integers,
)
from qnnc.frontends.qonnx import DOMAINS


def prepared(source: str, shape: tuple[int, ...] | None, folder: Path) -> onnx.ModelProto:
    """Read a float model and bring it to the form that ONNX Runtime's quantizer is given.

    Args:
        source: an ONNX file.
        shape: of its input, where the model does not say it.
        folder: for files in between.

    Raises:
        WorkspaceError: it cannot be read.
        OptionError: it is a module's name.
        ModelError: it is not a float ONNX model with one input of known shape.
    """
    if not Path(source).is_file() and ":" in source:
        raise OptionError(
            f"{source!r} is not an ONNX file; only those can be quantized: export the module with "
            "torch.onnx.export"
        )
    proto = set_input_shape(read_proto(source), shape)
    _refuse_quantized(proto)
    proto = ir.to_proto(to_canonical_opset(proto, {}))
    value = the_input(proto)
    dims = value.type.tensor_type.shape.dim
    if dims and not dims[0].dim_value:
        dims[0].dim_value = 1
    free = [d.dim_param or "?" for d in dims if d.dim_value < 1]
    if free:
        raise ModelError(
            f"input {quote(value.name)} has sizes that are not fixed ({', '.join(free)}); give "
            "them with --input-shape, such as 1,3,32,32"
        )
    if dims and dims[0].dim_value != 1:
        raise ModelError(
            f"input {quote(value.name)} is for {dims[0].dim_value} samples at once; export the "
            "model for one, or with a free first dimension"
        )
    for index, node in enumerate(proto.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    session(proto)  # so that what is wrong with it is said of the user's model
    return _preprocessed(proto, folder)


def the_input(proto: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The only input; raises ModelError if there are several."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    found = [value for value in proto.graph.input if value.name not in constants]
    if len(found) != 1:
        raise ModelError(
            f"the model has {len(found)} inputs; networks with one input can be quantized here"
        )
    only: onnx.ValueInfoProto = found[0]
    return only


def session(proto: onnx.ModelProto) -> ort.InferenceSession:
    """ONNX Runtime without optimisations, which would change the rounding of quantized models.

    Raises:
        ModelError: it refuses the model.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its own kinds, by what it dislikes
        text = " ".join(str(error).split())[:300]
        raise ModelError(f"ONNX Runtime cannot run the model: {text}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without what ONNX Runtime's quantizer logs: it is for its own command line."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _refuse_quantized(proto: onnx.ModelProto) -> None:
    for node in proto.graph.node:
        if node.domain in DOMAINS or uses_integers(node.domain, node.op_type):
            raise ModelError(
                f"the model is quantized already (node {quote(node.name or node.op_type)}, "
                f"{node.op_type}); build it as it is, without --quantize"
            )


def _preprocessed(proto: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    _fold_batch_norms(proto.graph)
    source, target = folder / "float.onnx", folder / "prepared.onnx"
    onnx.save(proto, source)
    with quiet():
        quant_pre_process(source, target, skip_symbolic_shape=True)  # all shapes are fixed
    found = onnx.load(target)
    _name_nodes(found.graph)
    return found


def _name_nodes(graph: onnx.GraphProto) -> None:
    """The quantizer tells nodes apart by their names."""
    used: set[str] = set()
    for index, node in enumerate(graph.node):
        if not node.name or node.name in used:
            node.name = f"{node.name or node.op_type}_{index}"
        used.add(node.name)


def _fold_batch_norms(graph: onnx.GraphProto) -> None:
    """Put a BatchNormalization after a Gemm into its weights; ONNX Runtime's optimiser does it
    after Conv and MatMul."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    outputs = {value.name for value in graph.output}
    uses: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    kept: list[onnx.NodeProto] = []
    for norm in graph.node:
        layer = makers.get(norm.input[0]) if norm.op_type == "BatchNormalization" else None
        if (
            layer is None
            or layer.op_type != "Gemm"
            or uses[norm.input[0]] != 1
            or norm.input[0] in outputs
            or not all(name in constants for name in (*norm.input[1:], *layer.input[1:]))
            or any(uses[name] != 1 for name in layer.input[1:])
            or any(a.name in ("alpha", "beta") and a.f != 1 for a in layer.attribute)
            or any(a.name == "training_mode" and a.i for a in norm.attribute)
        ):
            kept.append(norm)
            continue
        gamma, beta, mean, variance = (
            numpy_helper.to_array(constants[name]).astype(np.float64) for name in norm.input[1:5]
        )
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        turned = any(a.name == "transB" and a.i for a in layer.attribute)
        weights = numpy_helper.to_array(constants[layer.input[1]]).astype(np.float64)
        weights = weights * (factor[:, None] if turned else factor)
        bias = np.zeros(len(factor))
        if len(layer.input) > 2 and layer.input[2]:
            bias = numpy_helper.to_array(constants[layer.input[2]]).astype(np.float64)
        bias = (np.broadcast_to(bias, (len(factor),)) - mean) * factor + beta
        _replace(constants[layer.input[1]], weights)
        name = f"{norm.output[0]}_bias"
        graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), name))
        del layer.input[2:]
        layer.input.append(name)
        layer.output[0] = norm.output[0]
    if len(kept) < len(graph.node):
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(kept)


def _replace(tensor: onnx.TensorProto, array: object) -> None:
    values = np.ascontiguousarray(array, dtype=np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
