# SPDX-License-Identifier: Apache-2.0
"""The netlist of a whole design: shell and accelerator linked, contents of memories patched in."""

from __future__ import annotations

from qnnc.backends.bitstream.netlist.contents import Contents, memory_contents, patch
from qnnc.backends.bitstream.netlist.link import link_accelerator, link_shell

__all__ = ["Contents", "link_accelerator", "link_shell", "memory_contents", "patch"]
