# SPDX-License-Identifier: Apache-2.0
"""The hand-over to FINN and back."""
