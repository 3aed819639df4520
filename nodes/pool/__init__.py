# SPDX-License-Identifier: Apache-2.0
"""Pool: maxima or sums over windows."""
