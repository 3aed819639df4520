# SPDX-License-Identifier: Apache-2.0
"""Tails: what stands between an integer result and the next quantizer, as threshold tables."""
