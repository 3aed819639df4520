# SPDX-License-Identifier: Apache-2.0
"""NextStates: the states of a recurrence after each step."""

LACKS = {
    "cases": "it works with a PreviousStates only; tests/test_recurrence.py runs both in whole "
    "networks",
    "finn": "FINN has no recurrence",
}
