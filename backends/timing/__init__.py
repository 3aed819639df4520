# SPDX-License-Identifier: Apache-2.0
"""How fast an accelerator can be clocked, from its netlists, before any place and route."""

from __future__ import annotations

from qnnc.backends.timing.accelerator import Node, accelerator_paths
from qnnc.backends.timing.module import netlist_timing
from qnnc.backends.timing.path import ModuleTiming, Path
from qnnc.backends.timing.wires import Wires

__all__ = ["ModuleTiming", "Node", "Path", "Wires", "accelerator_paths", "netlist_timing"]
