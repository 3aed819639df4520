# SPDX-License-Identifier: Apache-2.0
"""FMPadding_Pixel in FINN, both ways."""

from __future__ import annotations

from qnnc.backends.finn.facet import ToFinn


class Finn(ToFinn):
    """Zeros between pixels."""

    attributes = "ImgDim Stride NumChannels SIMD inputDataType numInputVectors"
