# SPDX-License-Identifier: Apache-2.0
"""FMPadding and FMPadding_Pixel: an image among filler."""
