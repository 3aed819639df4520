# SPDX-License-Identifier: Apache-2.0
"""Pool, GlobalAccPool and VVAU: one result for each channel of a window."""
