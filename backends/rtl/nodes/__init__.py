# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of the dataflow nodes, one a file."""
