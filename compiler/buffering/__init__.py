# SPDX-License-Identifier: Apache-2.0
"""How deep FIFOs must be: the stream graph's schedules, run against each other."""
