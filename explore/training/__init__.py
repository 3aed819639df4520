# SPDX-License-Identifier: Apache-2.0
"""Everything that needs torch and Brevitas: networks, training, attacks, export."""
