# SPDX-License-Identifier: Apache-2.0
"""What carries compiled graphs on towards hardware."""
