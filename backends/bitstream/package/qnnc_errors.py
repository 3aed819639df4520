# SPDX-License-Identifier: Apache-2.0
"""What the driver raises, and what the accelerator's error bits mean."""

ERROR_NAMES = (
    "a buffer's address is not a multiple of 8",
    "a buffer is too short for the frames",
    "a buffer lies outside of the memory",
    "memory answered a read with an error",
    "memory answered a write with an error",
    "started while it was running",
    "a stream or bus broke its protocol",
    "a register was accessed in a way it does not allow",
)


class AcceleratorError(RuntimeError):
    """The accelerator, its package or the board cannot do what was asked for."""
