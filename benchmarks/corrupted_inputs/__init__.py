# SPDX-License-Identifier: Apache-2.0
"""Spoilt models, samples, folders and options against the command line.

Whatever a file or an option holds, `qnnc` ends in time with exit code 0, having verified what it
made, or with exit code 2 and one line on standard error.
"""
