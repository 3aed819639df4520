# SPDX-License-Identifier: Apache-2.0
"""What goes to the board: bitstream, description, driver, self-test."""

from __future__ import annotations

from qnnc.backends.bitstream.package.package import NAME, golden_samples, write_package

__all__ = ["NAME", "golden_samples", "write_package"]
