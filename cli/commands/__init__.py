# SPDX-License-Identifier: Apache-2.0
"""One command a file; each imports what it needs when it runs, so that help is quick."""
