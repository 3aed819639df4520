# SPDX-License-Identifier: Apache-2.0
"""DynamicMVAU: a stream of matrices times a stream of vectors."""

LACKS = {
    "finn": "FINN's MVAU with dynamic weights was not tried; hand over the parts of the network on "
    "either side of the product"
}
