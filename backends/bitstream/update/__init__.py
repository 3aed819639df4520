# SPDX-License-Identifier: Apache-2.0
"""New weights for a bitstream that is there, without place and route."""
