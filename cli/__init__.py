# SPDX-License-Identifier: Apache-2.0
"""The `qnnc` command."""

if __name__ != "qnnc.cli":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.cli; the top folders are not packages of their own")
