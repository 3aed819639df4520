# SPDX-License-Identifier: Apache-2.0
"""LabelSelect: the places of the greatest scores."""
