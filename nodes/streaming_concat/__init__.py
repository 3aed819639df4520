# SPDX-License-Identifier: Apache-2.0
"""StreamingConcat: streams side by side."""
