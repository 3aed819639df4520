# SPDX-License-Identifier: Apache-2.0
"""A folder for Vitis HLS: sources, testbenches with golden vectors, Tcl."""
