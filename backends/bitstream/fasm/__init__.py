# SPDX-License-Identifier: Apache-2.0
"""The assembler: FASM, and a prjxray database, to the .bit file of a 7-series device."""

from __future__ import annotations

from qnnc.backends.bitstream.fasm.assemble import assemble, assemble_file
from qnnc.backends.bitstream.fasm.bitfile import read_payload
from qnnc.backends.bitstream.fasm.database import Database, database_root, needed_database

__all__ = [
    "Database",
    "assemble",
    "assemble_file",
    "database_root",
    "needed_database",
    "read_payload",
]
