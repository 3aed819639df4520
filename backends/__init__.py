# SPDX-License-Identifier: Apache-2.0
"""Backends: from a compiled graph to hardware."""

if __name__ != "qnnc.backends":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.backends; the top folders are not packages of their own")
