# SPDX-License-Identifier: Apache-2.0
"""What carries compiled graphs on towards hardware."""

if __name__ != "qnnc.backends":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.backends; the top folders are not packages of their own")
