# SPDX-License-Identifier: Apache-2.0
"""Proof of a bitstream from its own bits: what a .bit file holds, as a netlist, against the netlist
that was placed and routed, and on the simulated board."""

from __future__ import annotations

from qnnc.backends.bitstream.prove.proof import Check, Proof, examine

__all__ = ["Check", "Proof", "examine"]
