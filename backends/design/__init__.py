# SPDX-License-Identifier: Apache-2.0
"""An accelerator in SystemVerilog, as data: what the RTL backend makes and what simulation,
synthesis and packaging take."""

from __future__ import annotations

from qnnc.backends.design.batches import whole_batches
from qnnc.backends.design.design import Design, Instance, Port, WeightPort, Wire, used_files
from qnnc.backends.design.module import BLOCK, LOGIC, LUTS, WEIGHT_PORT, Memory, NodeRtl, port_names
from qnnc.backends.design.updatable import updatable

__all__ = [
    "BLOCK",
    "LOGIC",
    "LUTS",
    "WEIGHT_PORT",
    "Design",
    "Instance",
    "Memory",
    "NodeRtl",
    "Port",
    "WeightPort",
    "Wire",
    "port_names",
    "updatable",
    "used_files",
    "whole_batches",
]
