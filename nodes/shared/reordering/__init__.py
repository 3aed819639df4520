# SPDX-License-Identifier: Apache-2.0
"""UpsampleNearestNeighbour and Shuffle: written in order, read by nested loops."""
