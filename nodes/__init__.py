# SPDX-License-Identifier: Apache-2.0
"""FINN's dataflow nodes, a folder each; `table.py` lists them."""

if __name__ != "qnnc.nodes":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.nodes; the top folders are not packages of their own")
