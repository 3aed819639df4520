# SPDX-License-Identifier: Apache-2.0
"""The bitstream backend's stages, one per file."""
