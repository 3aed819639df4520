# SPDX-License-Identifier: Apache-2.0
"""The C++ of each dataflow node, one a file, found through the entry-point group `qnnc.hls`."""
