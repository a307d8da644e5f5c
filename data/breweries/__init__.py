"""The breweries lake: one module a step, plain Python that knows nothing of Mage."""

__version__ = "0.1.0"
