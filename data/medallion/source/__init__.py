"""Fetches all records of an API within its limits, and proves that none is missing."""
