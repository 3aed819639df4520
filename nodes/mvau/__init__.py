# SPDX-License-Identifier: Apache-2.0
"""MVAU: a matrix times a stream of vectors."""
