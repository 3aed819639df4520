# SPDX-License-Identifier: Apache-2.0
"""VVAU: a depthwise convolution's products."""
