# SPDX-License-Identifier: Apache-2.0
"""Design-space exploration."""

if __name__ != "qnnc.explore":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.explore; the top folders are not packages of their own")
