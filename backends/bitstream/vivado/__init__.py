# SPDX-License-Identifier: Apache-2.0
"""The Vivado flow: Tcl scripts that any version takes, and running them."""
