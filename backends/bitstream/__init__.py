# SPDX-License-Identifier: Apache-2.0
"""From the stitched accelerator to a board."""
