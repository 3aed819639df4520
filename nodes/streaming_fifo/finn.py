# SPDX-License-Identifier: Apache-2.0
"""StreamingFIFO in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.operators import Reader, passed


class Finn(ToFinn):
    """FINN puts in its own."""

    inserted = True


READERS: Mapping[str, Reader] = {"StreamingFIFO": passed}
