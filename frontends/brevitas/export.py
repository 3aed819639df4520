# SPDX-License-Identifier: Apache-2.0
"""A torch module to the canonical IR, through a temporary exported file."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qnnc.compiler.errors import ModelError, OptionError, QnncError, ToolError
from qnnc.compiler.frontend import set_witness
from qnnc.compiler.plugins import close_matches
from qnnc.frontends import qdq, qonnx
from qnnc.frontends.brevitas.rnn_export import exportable_rnn_layers
from qnnc.frontends.brevitas.witness import Forward, undisturbed
from qnnc.frontends.onnx_file import read_proto

EXPORTS = {"qonnx": "export_qonnx", "qcdq": "export_onnx_qcdq"}
EXPORTERS = ("torchscript", "dynamo")


def load(
    module: Any, example: Any, *, export: str = "qonnx", exporter: str = "torchscript"
) -> ir.Model:
    """The canonical IR of a network with Brevitas layers.

    Args:
        module: a torch.nn.Module.
        example: an input (a batch of any size; one sample of it is used), or its shape.
        export: "qonnx" for Quant nodes, "qcdq" for QuantizeLinear, Clip, DequantizeLinear.
        exporter: torch's: "torchscript", or "dynamo" (torch.export).

    Raises:
        ToolError: torch or brevitas is not installed.
        OptionError: a choice that there is not, or no torch.nn.Module.
        ModelError: the network cannot be exported, or not be compiled.
    """
    _choose("export", export, list(EXPORTS))
    _choose("exporter", exporter, list(EXPORTERS))
    torch, exports = torch_and_exports()
    if not isinstance(module, torch.nn.Module):
        raise OptionError(f"a {type(module).__name__} is not a torch.nn.Module")
    argument = _sample(torch, module, example)
    with (
        tempfile.TemporaryDirectory() as folder,
        undisturbed(torch, module),
        torch.no_grad(),
        _quiet(),
    ):
        path = Path(folder, "model.onnx")
        try:
            with exportable_rnn_layers(torch, module, export, exporter):
                getattr(exports, EXPORTS[export])(
                    module, args=argument, export_path=str(path), dynamo=exporter == "dynamo"
                )
        except QnncError:
            raise
        except Exception as error:
            raise ModelError(
                f"Brevitas' {export} export with torch's {exporter} exporter raises "
                f"{type(error).__name__}: {str(error)[:300]}"
            ) from error
        proto = read_proto(str(path))
    model = qdq.from_proto(proto) if export == "qcdq" else qonnx.from_proto(proto)
    set_witness(model, Forward(torch, module))
    return model


def _choose(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise OptionError(
            f"unknown {what} {name!r}{close_matches(name, known)} (known: {', '.join(known)})"
        )


def torch_and_exports() -> tuple[Any, Any]:
    """torch and brevitas.export; raises ToolError if they are not installed."""
    try:
        with _quiet():
            return importlib.import_module("torch"), importlib.import_module("brevitas.export")
    except ImportError as error:
        raise ToolError(
            f"Brevitas networks need torch and brevitas ({error}): pip install 'qnnc[train]'"
        ) from error


def _sample(torch: Any, module: Any, example: Any) -> Any:
    """One sample, where the module's parameters are."""
    if not isinstance(example, torch.Tensor):
        try:
            shape = [int(size) for size in example]
        except (TypeError, ValueError) as error:
            raise OptionError("the example input must be a tensor or a shape") from error
        generator = torch.Generator().manual_seed(0)
        example = torch.rand(shape, generator=generator)
    first = next(iter(module.parameters()), None)
    device = "cpu" if first is None else first.device
    sample = example if _is_sequence(module, example) else example[:1]
    return sample.detach().to(device)


def _is_sequence(module: Any, example: Any) -> bool:
    """The first axis holds the steps of one sequence, [T, 1, C], as a recurrent layer takes it."""
    found = (getattr(getattr(m, "cell", None), "batch_first", None) for m in module.modules())
    first = [batch_first for batch_first in found if batch_first is not None]
    return example.ndim == 3 and example.shape[1] == 1 and bool(first) and not any(first)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters print and warn about their internals."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
