# SPDX-License-Identifier: Apache-2.0
"""ElementwiseAdd and ElementwiseMul."""
