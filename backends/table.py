# SPDX-License-Identifier: Apache-2.0
"""The backends and boards that come with qnnc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BACKENDS: Final[Mapping[str, str]] = {
    "rtl": "qnnc.backends.rtl.backend:RtlBackend",
    "hls": "qnnc.backends.hls.backend:HlsBackend",
    "bitstream": "qnnc.backends.bitstream.backend:BitstreamBackend",
}

BOARDS: Final[Mapping[str, str]] = {
    "Pynq-Z1": "qnnc.backends.bitstream.boards:pynq_z1",
    "Pynq-Z2": "qnnc.backends.bitstream.boards:pynq_z2",
    "ZedBoard": "qnnc.backends.bitstream.boards:zedboard",
    "Arty-Z7-20": "qnnc.backends.bitstream.boards:arty_z7_20",
    "Zybo-Z7-20": "qnnc.backends.bitstream.boards:zybo_z7_20",
    "Arty-Z7-10": "qnnc.backends.bitstream.boards:arty_z7_10",
    "Zybo-Z7-10": "qnnc.backends.bitstream.boards:zybo_z7_10",
}
