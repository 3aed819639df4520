# SPDX-License-Identifier: Apache-2.0
"""Thresholding: multi-level thresholds, channel by channel."""
