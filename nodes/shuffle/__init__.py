# SPDX-License-Identifier: Apache-2.0
"""Shuffle: a stream in another order."""

LACKS = {"lower": "lowering puts it in wherever a stream has to be reordered"}
