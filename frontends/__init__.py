# SPDX-License-Identifier: Apache-2.0
"""Frontends: each turns its input into the canonical IR."""
