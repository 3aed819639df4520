# SPDX-License-Identifier: Apache-2.0
"""Batches: frames that an accelerator holds so that weights come from memory once for all."""

from __future__ import annotations

from qnnc.compiler.errors import OptionError

MIN_BATCH, MAX_BATCH = 4, 32
"""Frames per batch: fewer than the stages between a weight word and its use would not do, and more
than a shift register has places would cost twice."""


def check_batch(batch: int) -> None:
    """Raise OptionError for a batch that the hardware cannot have."""
    if batch != 1 and not MIN_BATCH <= batch <= MAX_BATCH:
        raise OptionError(f"--batch is 1, or {MIN_BATCH} to {MAX_BATCH} frames, not {batch}")
