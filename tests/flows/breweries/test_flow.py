"""What holds for every flow holds for the breweries."""

from data.breweries.flow import FLOW
from tests.flow_tests import tests_of

TestBreweries = tests_of(FLOW)
