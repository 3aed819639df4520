# SPDX-License-Identifier: Apache-2.0
"""DynamicMVAU: a stream of matrices times a stream of vectors."""

LACKS = {
    "finn": "an MVAU with a stream of weights cannot be handed over to FINN; hand over the parts "
    "of the network on either side of the product"
}
