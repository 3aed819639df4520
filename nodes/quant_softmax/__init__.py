# SPDX-License-Identifier: Apache-2.0
"""QuantSoftmax: codes of probabilities from codes of scores."""

LACKS = {
    "finn": "FINN's HWSoftmax gives floating point; hand over the parts of the network on either "
    "side of it"
}
