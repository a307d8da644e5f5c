"""The ids of runs."""

import re
import time

from data.medallion.lake.runs import RUN, new_run


def test_ids_are_in_the_order_of_time_within_a_second_too():
    ids = []
    for _ in range(40):
        ids.append(new_run())
        time.sleep(0.001)  # more than the part of a second that an id tells
    assert ids == sorted(ids) and len(set(ids)) == 40
    assert all(re.fullmatch(RUN, one) for one in ids)
