# SPDX-License-Identifier: Apache-2.0
"""DuplicateStreams in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.operators import Reader, passed


class Finn(ToFinn):
    """Copies."""

    attributes = "NumChannels PE NumOutputStreams inputDataType numInputVectors"


READERS: Mapping[str, Reader] = {"DuplicateStreams": passed}
