# SPDX-License-Identifier: Apache-2.0
"""The RTL backend: SystemVerilog, simulation, synthesis, stitched IP."""

from __future__ import annotations

from qnnc.backends.rtl.stages.ip import IpStage
from qnnc.backends.rtl.stages.rtl import RtlStage
from qnnc.backends.rtl.stages.simulate import SimulateStage
from qnnc.backends.rtl.stages.synthesize import SynthesizeStage
from qnnc.compiler.building.backend import Backend, Stage


class RtlBackend(Backend):
    """Everything in SystemVerilog, with pip packages and a C++ compiler only."""

    name = "rtl"

    def stages(self) -> list[Stage]:
        return [RtlStage(), SimulateStage(), SynthesizeStage(), IpStage()]
