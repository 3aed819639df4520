# SPDX-License-Identifier: Apache-2.0
"""The RTL backend's stages, one per file."""
