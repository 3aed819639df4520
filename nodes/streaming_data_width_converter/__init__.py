# SPDX-License-Identifier: Apache-2.0
"""StreamingDataWidthConverter: words of another width."""

LACKS = {"lower": "the pass insert-width-converters inserts it"}
