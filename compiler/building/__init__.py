# SPDX-License-Identifier: Apache-2.0
"""A build: one folder, one report, a sequence of stages."""
