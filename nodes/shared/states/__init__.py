# SPDX-License-Identifier: Apache-2.0
"""PreviousStates and NextStates: both ends of a recurrence."""
