# SPDX-License-Identifier: Apache-2.0
"""FMPadding: a border around an image."""
