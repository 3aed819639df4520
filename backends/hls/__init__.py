# SPDX-License-Identifier: Apache-2.0
"""The HLS backend: a C++ template library for Vitis HLS that is the emulator with g++."""
