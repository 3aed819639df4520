# SPDX-License-Identifier: Apache-2.0
"""Passes, one a file, found through the entry-point group `qnnc.passes`."""
