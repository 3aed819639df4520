# SPDX-License-Identifier: Apache-2.0
"""ip: package the stitched accelerator for Vivado's IP integrator."""

from __future__ import annotations

from qnnc.backends.rtl.ip.package import write_ip
from qnnc.backends.rtl.stages.rtl import design_of, not_in_rtl
from qnnc.compiler.building.backend import Stage, StageOutcome
from qnnc.compiler.building.build import Build

FOLDER = "ip"


class IpStage(Stage):
    """RTL, memory files, IP-XACT description and testbench in one folder."""

    name = "ip"
    after = "synthesize"
    products = (FOLDER,)

    def run(self, build: Build) -> StageOutcome:
        missing = not_in_rtl(build)
        if missing:
            return StageOutcome("skipped", missing)
        frames = {name: array[:2] for name, array in build.tensors.items()}
        write_ip(design_of(build), build.folder / FOLDER, build.board.part, frames)
        build.artifacts.stitched_ip = FOLDER
        return StageOutcome()
