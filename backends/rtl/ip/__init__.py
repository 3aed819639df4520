# SPDX-License-Identifier: Apache-2.0
"""The stitched accelerator as an IP core."""
