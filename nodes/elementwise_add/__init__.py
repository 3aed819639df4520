# SPDX-License-Identifier: Apache-2.0
"""ElementwiseAdd: a sum, element by element."""
