# SPDX-License-Identifier: Apache-2.0
"""Place and route with nextpnr: upstream's nextpnr-himbaechel or openXC7's nextpnr-xilinx."""

from __future__ import annotations

from qnnc.backends.bitstream.nextpnr.route import Routed, route
from qnnc.backends.bitstream.nextpnr.tool import Nextpnr, find_nextpnr

__all__ = ["Nextpnr", "Routed", "find_nextpnr", "route"]
