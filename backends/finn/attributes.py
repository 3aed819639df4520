# SPDX-License-Identifier: Apache-2.0
"""Which attributes FINN's dataflow nodes take (finn-plus 1.6.1), and how FINN makes each node."""

from __future__ import annotations

_COMMON = "backend preferred_impl_style inFIFODepths outFIFODepths partition_id slr"
_ELEMENTWISE = "lhs_dtype rhs_dtype out_dtype lhs_shape rhs_shape out_shape lhs_style rhs_style PE"

_OWN = {
    "MVAU": "PE SIMD MW MH resType ActVal inputDataType weightDataType outputDataType "
    "accDataType binaryXnorMode noActivation numInputVectors mem_mode ram_style",
    "VVAU": "PE SIMD Dim Channels Kernel resType ActVal inputDataType weightDataType "
    "outputDataType accDataType noActivation mem_mode ram_style binaryXnorMode",
    "Thresholding": "PE NumChannels numSteps inputDataType weightDataType outputDataType "
    "numInputVectors ActVal",
    "LabelSelect": "Labels PE K inputDataType outputDataType numInputVectors",
    "ElementwiseAdd": _ELEMENTWISE,
    "ElementwiseSub": _ELEMENTWISE,
    "ElementwiseMul": _ELEMENTWISE,
    "ElementwiseMax": _ELEMENTWISE,
    "ConvolutionInputGenerator": "ConvKernelDim IFMChannels IFMDim OFMDim SIMD Stride Dilation "
    "inputDataType outputDataType depthwise ram_style parallel_window is1D",
    "FMPadding": "ImgDim Padding NumChannels SIMD inputDataType numInputVectors",
    "FMPadding_Pixel": "ImgDim Stride NumChannels SIMD inputDataType numInputVectors",
    "Pool": "Channels PE KernelSize Function OutImgDims InputDataType OutputDataType AccumBits "
    "Size BatchSize",
    "GlobalAccPool": "NumChannels PE inputDataType numInputVectors",
    "DuplicateStreams": "NumChannels PE NumOutputStreams inputDataType numInputVectors",
    "StreamingConcat": "SIMD ChannelsPerStream inputDataTypes numInputVectors",
    "StreamingSplit": "SIMD ChannelsPerStream inputDataType numInputVectors",
    "UpsampleNearestNeighbour": "SIMD HO WO HI WI NumChannels inputDataType batchSize",
    "Reshape": "inp_shape out_shape dtype PE",
    "Shuffle": "data_type transpose_in_shape in_shape transpose_out_shape out_shape perm SIMD "
    "NumChannels",
}

ATTRIBUTES = {op: frozenset(f"{_COMMON} {own}".split()) for op, own in _OWN.items()}
"""Attributes that each of FINN's operators takes."""

INSERTED = frozenset({"StreamingDataWidthConverter", "StreamingFIFO"})
"""Nodes that FINN puts in by itself where they are needed."""

_RTL = frozenset({"Thresholding", "ConvolutionInputGenerator", "FMPadding", "Reshape"})

FOLDING = ("PE", "SIMD", "ram_style", "resType", "parallel_window")
"""Attributes that a folding configuration may set."""


def style(op_type: str, wanted: str) -> str:
    """Whether FINN is to make a node in HLS or RTL.

    Args:
        wanted: what the build chose, or an empty string.
    """
    if wanted == "hls":
        return "hls"
    return "rtl" if op_type in _RTL else "hls"
