# SPDX-License-Identifier: Apache-2.0
"""The bitstream backend: shell, driver, place and route, .bit."""

from __future__ import annotations

from qnnc.backends.bitstream.stages.bitstream import BitstreamStage
from qnnc.backends.bitstream.stages.driver import DriverStage
from qnnc.compiler.building.backend import Backend, Stage


class BitstreamBackend(Backend):
    """From the stitched accelerator to a package for the board."""

    name = "bitstream"

    def stages(self) -> list[Stage]:
        return [DriverStage(), BitstreamStage()]
