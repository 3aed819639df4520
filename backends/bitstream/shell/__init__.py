# SPDX-License-Identifier: Apache-2.0
"""The shell: what stands between the accelerator and the processing system of a Zynq."""

from __future__ import annotations

from qnnc.backends.bitstream.shell.shell import Shell, ShellStream, make_shell

__all__ = ["Shell", "ShellStream", "make_shell"]
