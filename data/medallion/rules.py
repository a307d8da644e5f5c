"""The rules of drift: which changes of the data are noted, and which stop a run."""

from __future__ import annotations

from typing import Literal

Rule = Literal[
    "row_fall",
    "value_gone",
    "column_gone",
    "ids_replaced",
    "rows_moved",
    "rows_retyped",
    "rejected_leap",
    "duplicate_leap",
    "column_unreadable",
    "type_changed",
    "new_field",
    "new_value",
    "unknown_value",
]

RULES: dict[Rule, str] = {
    "row_fall": "silver has fewer rows, by more than `<FLOW>_LARGEST_FALL_PERCENT`",
    "value_gone": "a value of a steady column has no row any more",
    "column_gone": "a column of silver that had values has none any more that can be read",
    "ids_replaced": (
        "others have come for ids that are gone: more than `<FLOW>_LARGEST_FALL_PERCENT` of all"
    ),
    "rows_moved": "more than `<FLOW>_LARGEST_FALL_PERCENT` of the rows are in another partition",
    "rows_retyped": (
        "more than `<FLOW>_LARGEST_FALL_PERCENT` of the rows have another value in a column of "
        "known values"
    ),
    "rejected_leap": "records that cannot be used are more, by over 0.5% of the rows",
    "duplicate_leap": "records whose id comes again are more, by over 0.5% of the rows",
    "column_unreadable": (
        "a column has no value but its field has, or values that cannot be read are more, by over "
        "0.5% of the rows"
    ),
    "type_changed": "a field has values of a JSON type that it had not",
    "new_field": "records have a field that none had",
    "new_value": "a steady column has a value that it had not",
    "unknown_value": "a column of known values has another one",
}
"""Every rule, and when it applies. A rise of the rows is no drift: +15% in a day was real data."""

STOPPING: frozenset[Rule] = frozenset({"row_fall", "value_gone", "column_gone"})
"""Those that stop the run unless `<FLOW>_STOP_ON` says otherwise; the others are noted."""
