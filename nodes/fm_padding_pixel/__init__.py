# SPDX-License-Identifier: Apache-2.0
"""FMPadding_Pixel: zeros between the pixels of an image."""
