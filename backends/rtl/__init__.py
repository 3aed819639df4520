# SPDX-License-Identifier: Apache-2.0
"""The RTL backend: a SystemVerilog library and the generator of the stitched accelerator."""
