# SPDX-License-Identifier: Apache-2.0
"""The HLS backend's stages, one per file."""
