# SPDX-License-Identifier: Apache-2.0
"""DuplicateStreams: a stream for several consumers."""

LACKS = {"lower": "the pass insert-duplicates inserts it"}
