# SPDX-License-Identifier: Apache-2.0
"""The emulator: a network's nodes in C++, compiled by g++, whole vectors in a word."""
