"""What holds for every flow holds for one with a column of each kind, and several gold tables."""

from tests.flow_tests import tests_of
from tests.stations import STATIONS

TestStations = tests_of(STATIONS, in_project=False)
