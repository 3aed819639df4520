# SPDX-License-Identifier: Apache-2.0
"""Design-space exploration."""
