# SPDX-License-Identifier: Apache-2.0
"""RTL simulation of a stitched accelerator with CXXRTL or Verilator."""
