# SPDX-License-Identifier: Apache-2.0
"""Frontends: each turns its input into the canonical IR."""

if __name__ != "qnnc.frontends":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.frontends; the top folders are not packages of their own")
