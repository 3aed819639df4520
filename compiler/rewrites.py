# SPDX-License-Identifier: Apache-2.0
"""For operators without hardware: the nearest alternative."""

from __future__ import annotations

_NORM = "use BatchNormalization, which is absorbed into thresholds"
_RECURRENT = (
    "use brevitas.nn.QuantLSTM, which quantizes the state carried from step to step "
    "(export_qonnx with dynamo=False), or write the steps out, with quantizers"
)
_LAST = "end the network before it and take labels with --top-k"
_LABELS = "drop it and take labels with --top-k: it does not change their order"
_PARTS = "use Split, Concat or a convolution, which take fixed places"
_HOST = "do it before the network, on the host"
_ATTENTION = (
    "write it as MatMul, Transpose and Softmax, with a quantizer after each of MatMul and Softmax"
)
_SOFTMAX = (
    "put a quantizer of one scale before and after it, which has to be over the last axis; where "
    "it is the last, drop it: it does not change the order of labels, which --top-k takes"
)
_REDUCTION = "use GlobalAveragePool, AveragePool or MaxPool"
_CONTROL = "export the branch that is taken, without control flow"
_RANDOM = "export the model for inference: it has to give the same result each time"
_UPSAMPLE = (
    "use Resize of mode nearest, or linear by powers of two (align_corners=False), or ConvTranspose"
)

REWRITES: dict[str, str] = {
    "Softmax": _SOFTMAX,
    "LogSoftmax": _LABELS,
    "QLinearSoftmax": _LABELS,
    "Hardmax": _LAST,
    "NonMaxSuppression": _LAST,
    "Unique": _LAST,
    "NonZero": _LAST,
    "Compress": _LAST,
    "LayerNormalization": _NORM,
    "SkipLayerNormalization": _NORM,
    "SimplifiedLayerNormalization": _NORM,
    "RMSNormalization": _NORM,
    "InstanceNormalization": _NORM,
    "GroupNormalization": _NORM,
    "MeanVarianceNormalization": _NORM,
    "LpNormalization": _NORM,
    "LRN": _NORM,
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "RNN": _RECURRENT,
    "Scan": _RECURRENT,
    "Loop": _CONTROL,
    "If": _CONTROL,
    "Attention": _ATTENTION,
    "MultiHeadAttention": _ATTENTION,
    "Einsum": "write it as MatMul and Transpose",
    "LpPool": "use AveragePool or MaxPool",
    "GlobalLpPool": "use GlobalAveragePool",
    "MaxRoiPool": "use MaxPool",
    "RoiAlign": "use AveragePool or MaxPool",
    "ReduceMax": "use GlobalMaxPool or MaxPool, which take axes from 2 on (transpose before it to "
    "reduce others)",
    "ReduceMin": _REDUCTION,
    "ReduceProd": _REDUCTION,
    "ReduceL1": _REDUCTION,
    "ReduceL2": _REDUCTION,
    "ReduceLogSum": _REDUCTION,
    "ReduceLogSumExp": _REDUCTION,
    "ReduceSumSquare": _REDUCTION,
    "CumSum": "use a convolution with weights of one",
    "Resize": _UPSAMPLE,
    "Upsample": _UPSAMPLE,
    "MaxUnpool": _UPSAMPLE,
    "GridSample": _UPSAMPLE,
    "AffineGrid": _UPSAMPLE,
    "CenterCropPad": "use Pad with zeros, or convolutions with pads",
    "Pad": "pad with a constant or with the edge",
    "DeformConv": "use Conv",
    "Gather": _PARTS,
    "GatherElements": _PARTS,
    "GatherND": _PARTS,
    "Scatter": _PARTS,
    "ScatterElements": _PARTS,
    "ScatterND": _PARTS,
    "ReverseSequence": _PARTS,
    "DFT": _HOST,
    "STFT": _HOST,
    "MelWeightMatrix": _HOST,
    "OneHot": _HOST,
    "RandomNormalLike": _RANDOM,
    "RandomUniformLike": _RANDOM,
    "Bernoulli": _RANDOM,
    "Multinomial": _RANDOM,
    "DynamicQuantizeLinear": "quantize with a constant scale (static quantization)",
}
"""Operator -> what to write instead."""


RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
"""Operators that carry a state in floating point."""


def rewrite(operator: str) -> str:
    """The nearest supported way to write an operator, or nothing."""
    return REWRITES.get(operator, "")
