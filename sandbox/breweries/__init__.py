"""A local Open Brewery DB, which behaves as the real one, and generated breweries for it."""
