# SPDX-License-Identifier: Apache-2.0
"""ReverseSteps: a sequence from its end."""

LACKS = {"finn": "FINN has no node that reverses a sequence"}
