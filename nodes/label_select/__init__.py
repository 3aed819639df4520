# SPDX-License-Identifier: Apache-2.0
"""LabelSelect: the indices of the greatest scores."""
