"""A local Open Brewery DB that behaves like the real one, and generated breweries for it."""
