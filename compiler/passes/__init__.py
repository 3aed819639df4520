# SPDX-License-Identifier: Apache-2.0
"""Passes, one per file, found through the entry-point group `qnnc.passes`."""
