# SPDX-License-Identifier: Apache-2.0
"""Small float networks of many kinds of operators, quantized by `qnnc quantize`, compiled, and
compared with ONNX Runtime on the quantized file.

    python -m benchmarks.float_kinds [KIND...]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from benchmarks.quantizer_settings import Net, Verdict, compared, inputs
from qnnc.compiler.errors import QnncError
from qnnc.quantization import quantize

KINDS: dict[str, Callable[[], onnx.ModelProto]] = {}


def kind(make: Callable[[], onnx.ModelProto]) -> Callable[[], onnx.ModelProto]:
    """Put a network into the table."""
    KINDS[make.__name__] = make
    return make


def relu(net: Net, x: str) -> str:
    """Relu."""
    return net.op("Relu", x)


def end(net: Net, x: str, channels: int, size: int) -> onnx.ModelProto:
    """Three scores of an image [1, channels, size, size]; the network reads [1, 2, 6, 6]."""
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    return net.model([1, 2, 6, 6], net.gemm(x, channels, 3), [1, 3])


@kind
def add_pooled() -> onnx.ModelProto:
    """A sum with one number for each channel."""
    n = Net(1)
    x = relu(n, n.conv("x", 2, 4))
    z = n.conv(n.op("GlobalAveragePool", x), 4, 4, 1)
    return end(n, relu(n, n.conv(n.op("Add", x, z), 4, 4)), 4, 6)


@kind
def spatial_gate() -> onnx.ModelProto:
    """A product with one number for each pixel."""
    n = Net(2)
    x = relu(n, n.conv("x", 2, 4))
    z = n.op("Sigmoid", n.conv(x, 4, 1))
    return end(n, relu(n, n.conv(n.op("Mul", x, z), 4, 4)), 4, 6)


@kind
def hardswish() -> onnx.ModelProto:
    """HardSwish, also between depthwise layers."""
    n = Net(3)
    x = n.op("HardSwish", n.conv("x", 2, 4))
    x = n.op("HardSwish", n.conv(x, 4, 4, group=4))
    return end(n, relu(n, n.conv(x, 4, 4, 1)), 4, 6)


@kind
def nearest_ceil() -> onnx.ModelProto:
    """Nearest with half-pixel centres, rounded up."""
    n = Net(4)
    x = relu(n, n.conv("x", 2, 4, stride=2))
    x = n.op(
        "Resize",
        x,
        "",
        n.constant([1, 1, 2, 2]),
        mode="nearest",
        coordinate_transformation_mode="half_pixel",
        nearest_mode="round_prefer_ceil",
    )
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 6)


@kind
def linear2() -> onnx.ModelProto:
    """Linear, by two."""
    n = Net(5)
    x = relu(n, n.conv("x", 2, 4, stride=2))
    x = n.op(
        "Resize",
        x,
        "",
        n.constant([1, 1, 2, 2]),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 6)


@kind
def slices() -> onnx.ModelProto:
    """Slice along two axes, in steps."""
    n = Net(6)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op(
        "Slice",
        x,
        n.constant([0, 1], np.int64),
        n.constant([6, 6], np.int64),
        n.constant([2, 3], np.int64),
        n.constant([2, 2], np.int64),
    )
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 3)


@kind
def avg_include() -> onnx.ModelProto:
    """A padded average that counts the padding."""
    n = Net(7)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op(
        "AveragePool",
        x,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
        strides=[1, 1],
        count_include_pad=1,
    )
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 6)


@kind
def avg_exclude() -> onnx.ModelProto:
    """A padded average that does not."""
    n = Net(8)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 3)


@kind
def avg_ceil() -> onnx.ModelProto:
    """An average whose last windows are cut off."""
    n = Net(9)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 3)


@kind
def transposed_grouped() -> onnx.ModelProto:
    """Grouped ConvTranspose."""
    n = Net(10)
    x = relu(n, n.conv("x", 2, 4, stride=2))
    w = n.normal(4, 2, 2, 2, scale=0.4)
    x = relu(n, n.op("ConvTranspose", x, w, strides=[2, 2], group=2))
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 6)


@kind
def transposed_dilated() -> onnx.ModelProto:
    """Dilated ConvTranspose with output padding."""
    n = Net(11)
    x = relu(n, n.conv("x", 2, 4, stride=2))
    w = n.normal(4, 3, 3, 3, scale=0.3)
    x = relu(
        n,
        n.op(
            "ConvTranspose",
            x,
            w,
            n.normal(3, scale=0.1),
            strides=[2, 2],
            dilations=[2, 2],
            pads=[1, 1, 1, 1],
            output_padding=[1, 1],
        ),
    )
    return end(n, relu(n, n.conv(x, 3, 4)), 4, 6)


@kind
def pad_channels() -> onnx.ModelProto:
    """Channels of zeros."""
    n = Net(12)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("Pad", x, n.constant([0, 1, 0, 0, 0, 1, 0, 0], np.int64))
    return end(n, relu(n, n.conv(x, 6, 4)), 4, 6)


@kind
def tokens() -> onnx.ModelProto:
    """MatMul on [1, T, C]."""
    n = Net(13)
    x = relu(n, n.op("Add", n.op("MatMul", "x", n.normal(8, 6, scale=0.4)), n.normal(6, scale=0.1)))
    x = n.op("MatMul", x, n.normal(6, 3, scale=0.4))
    return n.model([1, 5, 8], x, [1, 5, 3])


@kind
def global_skip() -> onnx.ModelProto:
    """The input again after the last layer."""
    n = Net(14)
    x = relu(n, n.conv("x", 2, 4))
    x = n.conv(x, 4, 2)
    return n.model([1, 2, 6, 6], n.op("Add", x, "x"), [1, 2, 6, 6])


@kind
def concat_scales() -> onnx.ModelProto:
    """Branches of three ranges side by side."""
    n = Net(15)
    x = relu(n, n.conv("x", 2, 4))
    a = n.op("Tanh", n.conv(x, 4, 2))
    b = relu(n, n.conv(x, 4, 2, 1))
    return end(n, relu(n, n.conv(n.op("Concat", a, b, x, axis=1), 8, 4)), 4, 6)


@kind
def mean_rows() -> onnx.ModelProto:
    """The mean of each column."""
    n = Net(16)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("ReduceMean", x, axes=[2], keepdims=1)
    return end(n, relu(n, n.conv(x, 4, 4, 1)), 4, 6)


@kind
def mean_cols_squeezed() -> onnx.ModelProto:
    """The mean of each row, without its axis."""
    n = Net(30)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("ReduceMean", x, axes=[3], keepdims=0)
    w = n.normal(3, 4, 3, scale=0.3)
    x = relu(n, n.op("Conv", x, w))
    return n.model([1, 2, 6, 6], n.gemm(n.op("Flatten", x), 12, 3), [1, 3])


@kind
def add_columns() -> onnx.ModelProto:
    """A sum with one number for each column."""
    n = Net(31)
    x = relu(n, n.conv("x", 2, 4))
    z = n.op("ReduceMean", x, axes=[2], keepdims=1)
    z = n.conv(z, 4, 4, 1)
    return end(n, relu(n, n.conv(n.op("Add", x, z), 4, 4)), 4, 6)


@kind
def add_pixels() -> onnx.ModelProto:
    """A difference from one channel."""
    n = Net(32)
    x = relu(n, n.conv("x", 2, 4))
    z = n.conv(x, 4, 1, 1)
    return end(n, relu(n, n.conv(n.op("Sub", x, z), 4, 4)), 4, 6)


@kind
def prelu() -> onnx.ModelProto:
    """A slope for each channel."""
    n = Net(17)
    x = n.op(
        "PRelu", n.conv("x", 2, 4), n.constant(np.array([0.1, 0.2, 0.3, 0.05]).reshape(4, 1, 1))
    )
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 6)


@kind
def odd_conv() -> onnx.ModelProto:
    """Uneven kernel, pads, dilations."""
    n = Net(18)
    w = n.normal(4, 2, 3, 2, scale=0.4)
    x = relu(
        n,
        n.op(
            "Conv",
            "x",
            w,
            n.normal(4, scale=0.1),
            kernel_shape=[3, 2],
            pads=[2, 0, 1, 1],
            dilations=[2, 1],
        ),
    )
    x = relu(n, n.conv(x, 4, 4))
    return end(n, x, 4, 6)


@kind
def two_heads() -> onnx.ModelProto:
    """Two outputs."""
    n = Net(19)
    x = relu(n, n.conv("x", 2, 4))
    f = n.op("Flatten", n.op("GlobalAveragePool", x))
    a = n.gemm(f, 4, 3)
    b = n.op("Sigmoid", n.gemm(f, 4, 2))
    m = n.model([1, 2, 6, 6], a, [1, 3])
    m.graph.output.append(helper.make_tensor_value_info(b, TensorProto.FLOAT, [1, 2]))
    return m


@kind
def d2s() -> onnx.ModelProto:
    """Pixels out of channels."""
    n = Net(20)
    x = relu(n, n.conv("x", 2, 8))
    x = n.op("DepthToSpace", x, blocksize=2)
    return end(n, relu(n, n.conv(x, 2, 4)), 4, 12)


@kind
def clipped() -> onnx.ModelProto:
    """Clip on both sides, and Elu."""
    n = Net(21)
    x = n.op("Clip", n.conv("x", 2, 4), n.constant(-1), n.constant(1))
    return end(n, n.op("Elu", n.conv(x, 4, 4)), 4, 6)


@kind
def maxpool_ceil() -> onnx.ModelProto:
    """A maximum whose last windows are cut off."""
    n = Net(23)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 3)


@kind
def shuffle() -> onnx.ModelProto:
    """Channels in another order."""
    n = Net(24)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("Reshape", x, n.constant([1, 2, 2, 6, 6], np.int64))
    x = n.op("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = n.op("Reshape", x, n.constant([1, 4, 6, 6], np.int64))
    return end(n, relu(n, n.conv(x, 4, 4, 1)), 4, 6)


@kind
def sub_mul_const() -> onnx.ModelProto:
    """Constants for each channel between layers."""
    n = Net(25)
    x = relu(n, n.conv("x", 2, 4))
    x = n.op("Mul", n.op("Sub", x, n.constant(np.ones((1, 4, 1, 1)) * 0.3)), n.constant([2.0]))
    return end(n, relu(n, n.conv(x, 4, 4)), 4, 6)


@kind
def conv1d() -> onnx.ModelProto:
    """A sequence."""
    n = Net(26)
    w = n.normal(4, 2, 3, scale=0.4)
    x = relu(n, n.op("Conv", "x", w, pads=[1, 1], strides=[2]))
    x = n.op("GlobalAveragePool", x)
    return n.model([1, 2, 16], n.gemm(n.op("Flatten", x), 4, 3), [1, 3])


def check_kind(name: str, folder: Path) -> Verdict:
    """Quantize, compile, compare."""
    proto = KINDS[name]()
    onnx.save(proto, folder / "float.onnx")
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    path = folder / "quantized.onnx"
    try:
        quantize(folder / "float.onnx", path, calibrate=inputs(shape, 16, seed=5))
    except QnncError as error:
        return Verdict("refused", str(error))
    return compared(path, folder)


def main() -> None:
    """One line for each kind."""
    for name in sys.argv[1:] or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            verdict = check_kind(name, Path(folder))
        print(f"{name:20} {verdict.ends:8} {verdict.text[:300]}", flush=True)


if __name__ == "__main__":
    main()
