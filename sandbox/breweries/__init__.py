"""What the sandbox has of breweries: a local Open Brewery DB, and invented records to serve."""
