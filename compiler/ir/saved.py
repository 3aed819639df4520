# SPDX-License-Identifier: Apache-2.0
"""An IR as a lossless ONNX file: facts of tensors and nodes are stored as metadata.

Nodes carry `qnnc.source`, `qnnc.part` and `qnnc.reason` where any ONNX viewer shows them. Facts of
tensors are JSON in the model's `qnnc.values`; arrays of more than a few numbers lie in the file as
initializers that no node uses. Numbers are written so that they read back exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import datatype
from qnnc.compiler.errors import ModelError, QnncError, WorkspaceError, quote
from qnnc.compiler.files import refuse_existing, write_bytes
from qnnc.compiler.ir import facts
from qnnc.compiler.ir.written import check_valid, with_types

VERSION = "qnnc.ir"
VALUES = "qnnc.values"
PASSES = "qnnc.passes"
OWN = "qnnc.sha256"
"""Of the whole file with this entry empty: what qnnc may overwrite."""
ARRAY = "qnnc.array/"
INLINE = 16
"""Numbers up to which an array is written as JSON."""
_PLAIN = (str, bool, int, float, type(None))


def save_ir(model: ir.Model, path: Path, passes: list[str] | None = None) -> None:
    """Write a model of any stage.

    Args:
        passes: names of the passes that it has been through.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    proto = ir.to_proto(model)
    arrays: list[NDArray[Any]] = []
    values = {str(v.name): _value_facts(v, arrays) for v in _values(model) if v.name}
    values = {name: found for name, found in values.items() if found}
    for mine, written in zip(model.graph, proto.graph.node, strict=True):
        for key, text in _node_facts(mine).items():
            _set(written.metadata_props, key, text)
    for index, array in enumerate(arrays):
        proto.graph.initializer.append(numpy_helper.from_array(array, f"{ARRAY}{index}"))
    _set(proto.metadata_props, VERSION, "1")
    _set(proto.metadata_props, VALUES, json.dumps(values))
    _set(proto.metadata_props, PASSES, json.dumps(passes or []))
    _import_domains(proto)
    proto = with_types(proto)
    check_valid(proto, path.name)
    write_own(path, proto)


def write_own(path: Path, proto: onnx.ModelProto) -> None:
    """Write a model with a mark by which `is_own` knows it; raises WorkspaceError."""
    _set(proto.metadata_props, OWN, "")
    _set(proto.metadata_props, OWN, hashlib.sha256(proto.SerializeToString()).hexdigest())
    write_bytes(path, proto.SerializeToString())


def is_own(path: Path) -> bool:
    """Whether a file is as `write_own` wrote it."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except (OSError, DecodeError, RuntimeError):
        return False
    marked = [prop.value for prop in proto.metadata_props if prop.key == OWN]
    _set(proto.metadata_props, OWN, "")
    return marked == [hashlib.sha256(proto.SerializeToString()).hexdigest()]


def refuse_to_overwrite(path: Path, option: str, *, force: bool) -> None:
    """Raise WorkspaceError if something stands at `path` that `write_own` has not written.

    Args:
        option: that names the path.
        force: let it be overwritten, unless it is a folder.
    """
    if path.is_symlink() or not is_own(path):
        refuse_existing(path, option, force=force)


@contextmanager
def blaming(path: Path | None) -> Iterator[None]:
    """Blame a saved IR for whatever fails in the block, if the IR is not as qnnc wrote it.

    Args:
        path: the IR's file, or None if there is none.

    Raises:
        ModelError: instead of an exception that is not a `QnncError`.
    """
    try:
        yield
    except QnncError:
        raise
    except Exception as error:
        if path is None or is_own(path):
            raise
        raise ModelError(
            f"{path} was changed since qnnc wrote it, and cannot be worked with as it is now "
            f"({type(error).__name__}: {error}); start from the model, or from an IR as it was "
            "written"
        ) from error


def is_saved(proto: onnx.ModelProto) -> bool:
    """Whether a model was written by `save_ir`."""
    return any(prop.key == VERSION for prop in proto.metadata_props)


def load_ir(path: Path) -> tuple[ir.Model, list[str]]:
    """Read what `save_ir` wrote: the model, and the names of the passes after it.

    Raises:
        WorkspaceError: the file cannot be read.
        ModelError: it is not a saved IR, or is damaged.
    """
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}") from error
    except (DecodeError, RuntimeError) as error:
        raise ModelError(f"{str(path)!r} is not an ONNX model, or is cut off") from error
    if not is_saved(proto):
        raise ModelError(f"{str(path)!r} is not an IR that --save-ir or qnnc opt has written")
    try:
        return _restore(proto)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"{str(path)!r} is a damaged IR: {type(error).__name__}: {error}"
        ) from error


def _restore(proto: onnx.ModelProto) -> tuple[ir.Model, list[str]]:
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in proto.graph.initializer):
        raise ModelError("a saved IR holds its constants itself; this one points to other files")
    props = {prop.key: prop.value for prop in proto.metadata_props}
    stored = json.loads(props[VALUES])
    kept, arrays = [], {}
    for tensor in proto.graph.initializer:
        if tensor.name.startswith(ARRAY):
            arrays[tensor.name.removeprefix(ARRAY)] = numpy_helper.to_array(tensor)
        else:
            kept.append(tensor)
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    _check_names(proto.graph)
    model = ir.from_proto(proto)
    for value in _values(model):
        _restore_value(value, stored.get(value.name, {}), arrays)
    for node in model.graph:
        _restore_node(node)
    for key in (VERSION, VALUES, PASSES, OWN):
        model.metadata_props.pop(key, None)
    return model, [str(name) for name in json.loads(props[PASSES])]


def _check_names(graph: onnx.GraphProto) -> None:
    known = {"", *(value.name for value in graph.input), *(t.name for t in graph.initializer)}
    for node in graph.node:
        for name in node.input:
            if name not in known:
                raise ModelError(
                    f"node {quote(node.name)} of a saved IR uses tensor {quote(name)}, which "
                    "nothing before it gives"
                )
        known.update(node.output)
    for value in graph.output:
        if value.name not in known:
            raise ModelError(f"output {quote(value.name)} of a saved IR is given by nothing in it")


def _values(model: ir.Model) -> Iterator[ir.Value]:
    yield from model.graph.inputs
    yield from model.graph.initializers.values()
    for node in model.graph:
        yield from node.outputs


# --- tensors --------------------------------------------------------------------------------


def _value_facts(value: ir.Value, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    fact = facts.integer(value)
    if fact is not None:
        found["integer"] = {
            f.name: _plain(getattr(fact, f.name), arrays) for f in fields(facts.Integer)
        }
    if facts.is_derived(value):
        found["derived"] = True
    return found


def _plain(item: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(item, BaseDataType):
        return {"type": item.name}
    if isinstance(item, np.ndarray):
        head = {"dtype": item.dtype.name, "shape": list(item.shape)}
        if item.size <= INLINE:
            return {**head, "data": item.reshape(-1).tolist()}
        arrays.append(np.ascontiguousarray(item))
        return {**head, "array": str(len(arrays) - 1)}
    if not isinstance(item, _PLAIN):
        raise TypeError(f"a fact of type {type(item).__name__} cannot be saved")
    return item


def _restore_value(
    value: ir.Value, stored: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    if "integer" in stored:
        plain = {name: _lively(item, arrays) for name, item in stored["integer"].items()}
        facts.set_integer(value, facts.Integer(**plain))
    if stored.get("derived"):
        facts.set_derived(value)


def _lively(item: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if not isinstance(item, dict):
        return item
    if "type" in item:
        return datatype(item["type"])
    data = arrays[item["array"]] if "array" in item else np.asarray(item["data"])
    return data.astype(np.dtype(item["dtype"])).reshape(item["shape"])


# --- nodes ----------------------------------------------------------------------------------


def _node_facts(node: ir.Node) -> dict[str, str]:
    found = {}
    if facts.sources(node):
        found["qnnc.source"] = json.dumps(list(facts.sources(node)))
    if facts.part(node) is not None:
        found["qnnc.part"] = str(facts.part(node))
    if facts.reason(node):
        found["qnnc.reason"] = facts.reason(node)
    if facts.evaluated(node):
        found["qnnc.evaluated"] = facts.evaluated(node)
    return found


def _restore_node(node: ir.Node) -> None:
    props = node.metadata_props
    if "qnnc.source" in props:
        facts.set_sources(node, [str(name) for name in json.loads(props.pop("qnnc.source"))])
    if "qnnc.part" in props:
        where = props.pop("qnnc.part")
        if where not in (facts.HOST_PRE, facts.ACCELERATOR, facts.HOST_POST):
            raise ModelError(f"node {quote(node.name)} of a saved IR has no known part")
        facts.set_part(node, where)
    if "qnnc.evaluated" in props:
        way = props.pop("qnnc.evaluated")
        if way not in (facts.EXHAUSTIVE, facts.BISECTED):
            raise ModelError(f"node {quote(node.name)} of a saved IR has no known evaluation")
        facts.set_evaluated(node, way)
    if "qnnc.reason" in props:
        facts.set_reason(node, props.pop("qnnc.reason"))


def _set(props: Any, key: str, text: str) -> None:
    for prop in props:
        if prop.key == key:
            prop.value = text
            return
    prop = props.add()
    prop.key, prop.value = key, text


def _import_domains(proto: onnx.ModelProto) -> None:
    """Name every domain in use, so that other tools can read the file."""
    known = {opset.domain for opset in proto.opset_import}
    for domain in sorted({node.domain for node in proto.graph.node} - known):
        proto.opset_import.append(onnx.helper.make_opsetid(domain, 1))
