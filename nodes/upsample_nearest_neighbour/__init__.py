# SPDX-License-Identifier: Apache-2.0
"""UpsampleNearestNeighbour: an image enlarged by whole factors."""
