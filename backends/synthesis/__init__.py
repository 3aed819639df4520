# SPDX-License-Identifier: Apache-2.0
"""Synthesis for 7-series with Yosys: node by node, cached by content."""

from __future__ import annotations

from qnnc.backends.synthesis.flow import NodeSynthesis, SynthesisResult, synthesize

__all__ = ["NodeSynthesis", "SynthesisResult", "synthesize"]
