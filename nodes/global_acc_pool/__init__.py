# SPDX-License-Identifier: Apache-2.0
"""GlobalAccPool: sums over a whole image."""
