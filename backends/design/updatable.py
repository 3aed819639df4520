# SPDX-License-Identifier: Apache-2.0
"""Keeping all contents in memories, so that another model needs no new logic."""

from __future__ import annotations

from dataclasses import replace

from qnnc.backends.design.design import Design
from qnnc.backends.design.module import LUTS

_ROM = "qnnc_rom.sv"
_SWITCH = "`define QNNC_UPDATABLE\n"


def updatable(design: Design) -> Design:
    """The same accelerator with contents that were part of the logic in LUTs used as memory."""
    instances = tuple(
        replace(
            instance,
            rtl=replace(
                instance.rtl,
                memories={
                    name: replace(memory, style=LUTS) if memory.fixed else memory
                    for name, memory in instance.rtl.memories.items()
                },
            ),
        )
        for instance in design.instances
    )
    parts = {**design.parts, _ROM: _SWITCH + design.parts[_ROM]}
    return replace(design, instances=instances, parts=parts)
