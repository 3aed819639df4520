# SPDX-License-Identifier: Apache-2.0
"""PreviousStates: the states of a recurrence, one step later."""

LACKS = {
    "cases": "it works with a NextStates only; tests/test_recurrence.py runs both in whole "
    "networks",
    "finn": "FINN has no recurrence",
}
