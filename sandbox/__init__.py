"""The outside world on loopback: an embedded object store and a local Open Brewery DB."""
