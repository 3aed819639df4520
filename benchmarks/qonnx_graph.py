# SPDX-License-Identifier: Apache-2.0
"""Writing quantized networks with random weights as QONNX, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: its name, its shape without the batch, and the root mean square of
    its values, as a rule of thumb for the batch norm after."""

    name: str
    shape: tuple[int, ...]
    rms: float = 1.0


@dataclass
class QonnxGraph:
    """A graph under construction; every method adds operators and returns the result."""

    seed: int = 0
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def fresh(self, kind: str) -> str:
        """A name that is not taken yet."""
        self._count += 1
        return f"{kind}{self._count}"

    def constant(self, array: object, dtype: type = np.float32, kind: str = "c") -> str:
        """A constant's name."""
        name = self.fresh(kind)
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), name))
        return name

    def op(
        self,
        op: str,
        inputs: Sequence[str],
        domain: str = "",
        outputs: int = 1,
        **attributes: object,
    ) -> list[str]:
        """Any operator; returns its outputs' names."""
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(
            helper.make_node(
                op, list(inputs), names, name=f"{op}_{names[0]}", domain=domain, **attributes
            )
        )
        return names

    def input(self, shape: Sequence[int], name: str = "x") -> Tensor:
        """An input of the model, without the batch."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape]))
        return Tensor(name, tuple(shape), 0.6)

    def quantize(
        self, x: Tensor, bits: int, scale: object, *, signed: bool = True, narrow: bool = False
    ) -> Tensor:
        """Quant, or BipolarQuant for one signed bit."""
        s = self.constant(scale)
        if bits == 1 and signed:
            name = self.op("BipolarQuant", [x.name, s], QONNX)[0]
            return Tensor(name, x.shape, float(np.mean(scale)))  # type: ignore[arg-type]
        zero, width = self.constant(0), self.constant(bits)
        name = self.op(
            "Quant",
            [x.name, s, zero, width],
            QONNX,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode="ROUND",
        )[0]
        return Tensor(name, x.shape, x.rms)

    def weights(
        self, shape: Sequence[int], bits: int, *, per_channel: bool = False, axis: int = 0
    ) -> str:
        """Random quantized weights; 1 bit is bipolar, others signed and narrow."""
        top = max(1, 2 ** (bits - 1) - 1)
        dims = [1] * len(shape)
        if per_channel:
            dims[axis] = shape[axis]
        scale = self.rng.uniform(0.6, 1.4, size=dims if per_channel else ()) / top
        values = Tensor(self.constant(self.rng.normal(size=shape) * 0.6, kind="w"), tuple(shape))
        return self.quantize(values, bits, scale, narrow=True).name

    def conv(
        self,
        x: Tensor,
        outputs: int,
        kernel: Sequence[int],
        bits: int,
        *,
        stride: int | Sequence[int] = 1,
        pads: Sequence[int] | int = 0,
        dilation: int = 1,
        group: int = 1,
        bias: bool = False,
        per_channel: bool = False,
    ) -> Tensor:
        """Conv of one or two dimensions; pads one number for all sides, or ONNX's list."""
        rank = len(kernel)
        strides = [stride] * rank if isinstance(stride, int) else list(stride)
        sides = [pads] * (2 * rank) if isinstance(pads, int) else list(pads)
        fan = x.shape[0] // group
        w = self.weights((outputs, fan, *kernel), bits, per_channel=per_channel)
        inputs = [x.name, w]
        if bias:
            inputs.append(self.constant(self.rng.normal(size=outputs) * 0.2))
        name = self.op(
            "Conv",
            inputs,
            kernel_shape=list(kernel),
            strides=strides,
            pads=sides,
            dilations=[dilation] * rank,
            group=group,
        )[0]
        size = [
            (n + sides[i] + sides[i + rank] - dilation * (k - 1) - 1) // s + 1
            for i, (n, k, s) in enumerate(zip(x.shape[1:], kernel, strides, strict=True))
        ]
        rms = x.rms * 0.7 * float(np.sqrt(fan * np.prod(kernel)))
        return Tensor(name, (outputs, *size), rms)

    def linear(self, x: Tensor, outputs: int, bits: int, *, bias: bool = False) -> Tensor:
        """MatMul, with Add for a bias."""
        w = self.weights((x.shape[0], outputs), bits, axis=1)
        name = self.op("MatMul", [x.name, w])[0]
        if bias:
            name = self.op("Add", [name, self.constant(self.rng.normal(size=outputs) * 0.2)])[0]
        return Tensor(name, (outputs,), x.rms * 0.7 * float(np.sqrt(x.shape[0])))

    def batch_norm(self, x: Tensor, *, both_signs: bool = False) -> Tensor:
        """BatchNormalization that brings a sum to about unit variance."""
        c = x.shape[0]
        gamma = self.rng.uniform(0.7, 1.4, c)
        if both_signs:
            gamma = gamma * self.rng.choice([-1, 1], c)
        parameters = [
            gamma,
            self.rng.normal(size=c) * 0.3,
            self.rng.normal(size=c) * x.rms * 0.3,
            self.rng.uniform(0.7, 1.4, c) * x.rms**2,
        ]
        names = [self.constant(p) for p in parameters]
        return Tensor(
            self.op("BatchNormalization", [x.name, *names], epsilon=1e-5)[0], x.shape, 1.0
        )

    def activation(
        self, x: Tensor, bits: int, kind: str = "Relu", scale: float | None = None
    ) -> Tensor:
        """An activation function and its quantizer; 1 bit is the sign alone."""
        if bits == 1:
            return self.quantize(x, 1, 1.0)
        signed = kind not in ("Relu", "Sigmoid", "HardSigmoid")
        y = x if kind == "Identity" else Tensor(self.op(kind, [x.name])[0], x.shape, x.rms)
        top = 2 ** (bits - signed) - 1
        found = self.quantize(y, bits, scale or 2.0 / top, signed=signed, narrow=signed)
        return Tensor(found.name, x.shape, 0.8)

    def pool(
        self,
        x: Tensor,
        kernel: int,
        *,
        op: str = "MaxPool",
        stride: int | None = None,
        pads: int = 0,
    ) -> Tensor:
        """MaxPool or AveragePool over all spatial dimensions."""
        rank, step = len(x.shape) - 1, stride or kernel
        extra = {"count_include_pad": 1} if op == "AveragePool" and pads else {}
        name = self.op(
            op,
            [x.name],
            kernel_shape=[kernel] * rank,
            strides=[step] * rank,
            pads=[pads] * 2 * rank,
            **extra,
        )[0]
        size = [(n + 2 * pads - kernel) // step + 1 for n in x.shape[1:]]
        return Tensor(name, (x.shape[0], *size), x.rms)

    def global_average(self, x: Tensor) -> Tensor:
        """GlobalAveragePool."""
        name = self.op("GlobalAveragePool", [x.name])[0]
        return Tensor(name, (x.shape[0], *(1 for _ in x.shape[1:])), x.rms)

    def flatten(self, x: Tensor) -> Tensor:
        """Flatten."""
        return Tensor(self.op("Flatten", [x.name], axis=1)[0], (int(np.prod(x.shape)),), x.rms)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of two tensors."""
        rms = float(np.hypot(x.rms, y.rms))
        return Tensor(self.op("Add", [x.name, y.name])[0], x.shape, rms)

    def concat(self, *parts: Tensor) -> Tensor:
        """Channels side by side."""
        name = self.op("Concat", [p.name for p in parts], axis=1)[0]
        return Tensor(name, (sum(p.shape[0] for p in parts), *parts[0].shape[1:]), parts[0].rms)

    def upsample(self, x: Tensor, factor: int) -> Tensor:
        """Nearest Resize."""
        rank = len(x.shape) - 1
        scales = self.constant([1, 1, *[factor] * rank])
        name = self.op(
            "Resize",
            [x.name, "", scales],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )[0]
        return Tensor(name, (x.shape[0], *(n * factor for n in x.shape[1:])), x.rms)

    def depth_to_space(self, x: Tensor, size: int, mode: str = "CRD") -> Tensor:
        """DepthToSpace (a pixel shuffle where the mode is CRD)."""
        name = self.op("DepthToSpace", [x.name], blocksize=size, mode=mode)[0]
        c, h, w = x.shape
        return Tensor(name, (c // size**2, h * size, w * size), x.rms)

    def model(self, *outputs: Tensor, opset: int = 13) -> onnx.ModelProto:
        """The whole network."""
        graph = helper.make_graph(
            self.nodes,
            "network",
            self.inputs,
            [
                helper.make_tensor_value_info(y.name, TensorProto.FLOAT, [1, *y.shape])
                for y in outputs
            ],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)
