# SPDX-License-Identifier: Apache-2.0
"""The paper's network in Brevitas: its topology and its quantizers (`explore.formats`)."""

from __future__ import annotations

from typing import Any

from qnnc.explore.formats import largest
from qnnc.explore.study import Network, Widths
from qnnc.explore.training.torch_modules import module

OPSET = 17


def linear(inputs: int, outputs: int, bits: int) -> Any:
    """A linear layer without bias, its weights quantized to `bits` bits.

    They start evenly spread over -1..1, so that also formats whose numbers are far apart start
    with different ones; batch norm takes care of the sums' scale.
    """
    nn, quant = module("brevitas.nn"), module("brevitas.quant")
    if bits == 1:
        settings = {
            "weight_quant": quant.SignedBinaryWeightPerTensorConst,
            "weight_scaling_init": 1.0,
        }
    else:
        settings = {
            "weight_quant": quant.Int8WeightPerTensorFloat,
            "weight_bit_width": bits,
            "weight_scaling_impl_type": "const",
            "weight_scaling_init": largest(bits),  # of the largest integer: the scale is the step
        }
    layer = nn.QuantLinear(inputs, outputs, bias=False, **settings)
    module("torch").nn.init.uniform_(layer.weight, -1.0, 1.0)
    return layer


def quantizer(bits: int) -> Any:
    """A quantizer of activations, to the same numbers as weights of `bits` bits."""
    nn, quant = module("brevitas.nn"), module("brevitas.quant")
    if bits == 1:
        return nn.QuantIdentity(act_quant=quant.SignedBinaryActPerTensorConst, scaling_init=1.0)
    return nn.QuantIdentity(
        act_quant=quant.Int8ActPerTensorFloatMinMaxInit,
        bit_width=bits,
        narrow_range=True,
        min_val=-largest(bits),
        max_val=largest(bits),
        scaling_impl_type="const",
    )


def centred() -> Any:
    """Pixels from 0 to 1, spread over -1..1."""
    torch = module("torch")

    class Centred(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch comes late
        def forward(self, x: Any) -> Any:
            return x * 2.0 - 1.0

    return Centred()


def make_network(network: Network, widths: Widths) -> Any:
    """The network as a torch.nn.Sequential; input [n, inputs] from 0 to 1, output [n, classes].

    Each linear layer is followed by a batch norm, that of a hidden layer by tanh, a quantizer and,
    while training, dropout (figure 4 of the paper).
    """
    nn = module("torch").nn
    layers = [centred(), nn.Dropout(network.dropout_input), quantizer(widths.activations[0])]
    width = network.inputs
    for outputs, bits, after in zip(
        network.hidden, widths.weights, widths.activations[1:], strict=False
    ):
        layers += [
            linear(width, outputs, bits),
            nn.BatchNorm1d(outputs),
            nn.Tanh(),
            quantizer(after),
            nn.Dropout(network.dropout_hidden),
        ]
        width = outputs
    layers += [linear(width, network.classes, widths.weights[-1]), nn.BatchNorm1d(network.classes)]
    return nn.Sequential(*layers)


def export(model: Any, network: Network, path: str) -> None:
    """Write the network as QONNX, for one image at a time."""
    torch = module("torch")
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        module("brevitas.export").export_qonnx(
            model,
            args=torch.zeros(1, network.inputs, device=device),
            export_path=path,
            input_names=["pixels"],
            output_names=["scores"],
            opset_version=OPSET,
            dynamo=False,  # the newer exporter writes paths of this machine into the file
            keep_initializers_as_inputs=False,
        )
