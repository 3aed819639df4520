# SPDX-License-Identifier: Apache-2.0
"""StreamingSplit: a stream's channels apart."""
