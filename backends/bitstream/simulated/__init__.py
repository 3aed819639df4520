# SPDX-License-Identifier: Apache-2.0
"""The whole shell in simulation, connected to a model of the processing system's ports."""
