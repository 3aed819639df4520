# SPDX-License-Identifier: Apache-2.0
"""The frontends that come with qnnc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FRONTENDS: Final[Mapping[str, str]] = {
    "brevitas": "qnnc.frontends.brevitas:BrevitasFrontend",
    "finn": "qnnc.frontends.finn:FinnFrontend",
    "float": "qnnc.quantization.frontend:FloatFrontend",
    "qdq": "qnnc.frontends.qdq:QdqFrontend",
    "qonnx": "qnnc.frontends.qonnx:QonnxFrontend",
}
