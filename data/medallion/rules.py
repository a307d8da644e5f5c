"""The drift rules: which changes of the data are noted, and which stop a run."""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "api_changed": "the API's host is another than that of the records in bronze",
    "row_fall": "silver has fewer rows, by more than `<FLOW>_LARGEST_FALL_PERCENT`",
    "value_gone": "a value of a column that alerts on change has no rows any more",
    "column_gone": "a column of silver had values, and now has none that can be read",
    "ids_replaced": (
        "more than `<FLOW>_LARGEST_FALL_PERCENT` of the ids are gone, and new ids have come"
    ),
    "rows_moved": "more than `<FLOW>_LARGEST_FALL_PERCENT` of the rows are in another partition",
    "rows_recategorized": (
        "more than `<FLOW>_LARGEST_FALL_PERCENT` of the rows have another value in a column of "
        "accepted values"
    ),
    "field_missing": "no record has the field of a new column",
    "many_unreadable": "over `<FLOW>_LARGEST_FALL_PERCENT` of a new column's values are unreadable",
    "many_rejected": "a first version rejects over `<FLOW>_LARGEST_FALL_PERCENT` of the records",
    "rejected_leap": "rejects increased by more than 0.5% of the rows",
    "duplicate_leap": "duplicates increased by more than 0.5% of the rows",
    "column_unreadable": (
        "a column has no value although its field has, unreadable values increased by more than "
        "0.5% of the rows, or a new column has some"
    ),
    "column_null": "a new column has no value, although records have its field",
    "type_changed": "a field has values of a new JSON type",
    "new_field": "records have a new field",
    "new_value": "a column that alerts on change has a new value",
    "unknown_value": "a column of accepted values has an unknown value",
}
"""Maps each rule to its condition. More rows are no drift: +15% in a day was real data. A column is
new if the previous version lacks it; in a first version, all are."""

STOPPING: frozenset[str] = frozenset(
    {"api_changed", "row_fall", "value_gone", "column_gone"}
    | {"field_missing", "many_unreadable", "many_rejected"}
)
"""The rules that stop a run by default (`<FLOW>_STOP_ON`); the other rules are noted."""
