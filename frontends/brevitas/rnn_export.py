# SPDX-License-Identifier: Apache-2.0
"""QuantRNN, which Brevitas has no export for: its layers give a QuantRNNCell node each while a
module is exported."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from qnnc.compiler.errors import ModelError, OptionError

OPERATOR = "qonnx.custom_op.general::QuantRNNCell"
ACCUMULATOR, OUTPUT = "gate_acc", "output"
ARGUMENTS = {ACCUMULATOR: "gate_acc_quant", OUTPUT: "io_quant"}
"""Of QuantRNN, for its quantizers."""


@contextlib.contextmanager
def exportable_rnn_layers(torch: Any, module: Any, export: str, exporter: str) -> Iterator[None]:
    """Layers of QuantRNN have a forward that torch's TorchScript exporter writes as one node; as
    they were, afterwards.

    Raises:
        OptionError: another exporter is asked for.
        ModelError: a layer has a quantizer that is switched off.
    """
    quant_rnn = importlib.import_module("brevitas.nn.quant_rnn")
    layers = [m for m in module.modules() if isinstance(m, quant_rnn._QuantRNNLayer)]
    if layers and (export, exporter) != ("qonnx", "torchscript"):
        raise OptionError(
            "a QuantRNN is written by the exporters qonnx and torchscript only; leave "
            f"{'export' if export != 'qonnx' else 'exporter'} as it is by default"
        )
    function, handler = (_cell_function(torch), _no_handler(torch)) if layers else (None, None)
    try:
        for layer in layers:
            layer.forward = _forward(torch, layer, function)
            layer.export_handler = handler  # Brevitas asks for one, and keeps what is there
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)
            layer.export_handler = None


def _forward(torch: Any, layer: Any, function: Any) -> Any:
    quantizers = {ACCUMULATOR: layer.cell.gate_acc_quant, OUTPUT: layer.cell.output_quant}
    for name, quantizer in quantizers.items():
        if not quantizer.is_quant_enabled:
            raise ModelError(
                f"a QuantRNN without its quantizer {name} has no integers to carry from step to "
                f"step; give it {ARGUMENTS[name]}"
            )
    relu = isinstance(layer.cell.act_fn, torch.nn.ReLU)

    usual = layer.forward

    def forward(inp: Any, state: Any = None) -> Any:
        if not layer.export_mode:  # Brevitas runs the module once to see its scales
            return usual(inp, state)
        x = layer.maybe_quantize_input(inp)
        weights_ih, weights_hh, bias = layer.gate_params_fwd(layer.gate_params, x)
        x = _value(x)
        if bias is None:
            bias = torch.zeros(layer.hidden_size, device=x.device)
        start = layer.maybe_quantize_state(x, state, layer.cell.output_quant)
        parameters = [
            p for q in quantizers.values() for p in (q.scale(), q.zero_point(), q.bit_width())
        ]
        attributes = {
            "batch_first_i": int(layer.cell.batch_first),
            "reverse_input_i": int(layer.cell.reverse_input),
            "nonlinearity_s": "relu" if relu else "tanh",
        }
        for name, q in quantizers.items():
            attributes[f"{name}_narrow_i"] = int(q.is_narrow_range)
            attributes[f"{name}_signed_i"] = int(q.is_signed)
            attributes[f"{name}_rounding_mode_s"] = str(q.rounding_mode)
        tensors = [x, *(_value(t) for t in (start, weights_ih, weights_hh, bias)), *parameters]
        outputs, last = function.apply(attributes, *tensors)
        return (
            layer.pack_quant_outputs(outputs),
            layer.pack_quant_state(last, layer.cell.output_quant),
        )

    return forward


def _no_handler(torch: Any) -> Any:
    """A handler that Brevitas can prepare, and that does nothing: the forward does it all."""

    class Handler(torch.nn.Module):  # type: ignore[misc]
        def prepare_for_export(self, _layer: Any) -> None:
            pass

        def attach_debug_info(self, _layer: Any) -> None:
            pass

    return Handler()


def _value(tensor: Any) -> Any:
    return getattr(tensor, "value", tensor)


def _cell_function(torch: Any) -> Any:
    """The node as a function of torch: shapes that are right, and how to write it."""

    class Cell(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def symbolic(graph: Any, attributes: dict[str, Any], *tensors: Any) -> Any:
            return graph.op(OPERATOR, *tensors, outputs=2, **attributes)

        @staticmethod
        def forward(_context: Any, _attributes: dict[str, Any], x: Any, start: Any, *_: Any) -> Any:
            outputs = torch.zeros(*x.shape[:2], start.shape[-1], device=x.device)
            return outputs, start.clone()

    return Cell
