# SPDX-License-Identifier: Apache-2.0
"""Scaled-integer arithmetic: how each operator acts on integer * scale + offset."""
