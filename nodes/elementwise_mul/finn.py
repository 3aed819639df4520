# SPDX-License-Identifier: Apache-2.0
"""ElementwiseMul in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.frontends.finn.operators import Reader
from qnnc.nodes.shared.elementwise.finn import Elementwise, read


class Finn(Elementwise):
    """A product."""


READERS: Mapping[str, Reader] = {"ElementwiseMul": read}
