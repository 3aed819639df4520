# SPDX-License-Identifier: Apache-2.0
"""Folding: how fast and how large each node is, solved as a small exact optimisation."""
