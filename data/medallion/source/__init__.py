"""Fetch all records of an API, within its limits, and prove that none is missing."""
