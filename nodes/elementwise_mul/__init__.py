# SPDX-License-Identifier: Apache-2.0
"""ElementwiseMul: a product, element by element."""
