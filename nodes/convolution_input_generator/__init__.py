# SPDX-License-Identifier: Apache-2.0
"""ConvolutionInputGenerator: the windows of an image."""
