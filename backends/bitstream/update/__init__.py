# SPDX-License-Identifier: Apache-2.0
"""New weights for an existing bitstream, without place and route."""
