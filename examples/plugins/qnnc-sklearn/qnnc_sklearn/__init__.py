# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's MLPClassifier for qnnc: save it as plain arrays, then `qnnc build` them."""

from qnnc_sklearn.archive import save

__all__ = ["save"]
