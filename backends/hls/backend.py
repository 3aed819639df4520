# SPDX-License-Identifier: Apache-2.0
"""The HLS backend: the emulator of every build, and C++ for nodes that Vitis HLS is to make."""

from __future__ import annotations

from qnnc.backends.hls.stages.emulate import EmulateStage
from qnnc.backends.hls.stages.hls import HlsStage
from qnnc.compiler.building.backend import Backend, Stage


class HlsBackend(Backend):
    """C++ for Vitis HLS, which g++ compiles as well."""

    name = "hls"

    def stages(self) -> list[Stage]:
        return [EmulateStage(), HlsStage()]
