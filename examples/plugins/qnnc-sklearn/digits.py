# SPDX-License-Identifier: Apache-2.0
"""Train a classifier of scikit-learn's 8x8 digits and save it for qnnc.

python digits.py    writes digits.npz, samples.npy and labels.npy
"""

from __future__ import annotations

import numpy as np
from qnnc_sklearn import save
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def main() -> None:
    """Train, save, and say how good the network is before it is quantized."""
    images, digits = load_digits(return_X_y=True)
    rows, samples, wanted, labels = train_test_split(images, digits, test_size=500, random_state=0)
    network = MLPClassifier((32, 16), max_iter=600, random_state=0).fit(rows, wanted)
    print(f"{network.score(samples, labels):.1%} of {len(labels)} test images, in float")
    save(network, "digits.npz", rows)
    np.save("samples.npy", samples.astype(np.float32))
    np.save("labels.npy", np.searchsorted(network.classes_, labels))


if __name__ == "__main__":
    main()
