# SPDX-License-Identifier: Apache-2.0
"""StreamingFIFO: room for words that wait."""

LACKS = {"lower": "the pass insert-fifos inserts it"}
