"""Silver: plan, clean, write, compare, publish; and what cleans a batch of records."""
