# SPDX-License-Identifier: Apache-2.0
"""FINN's dataflow nodes, a folder each; `table.py` lists them."""
