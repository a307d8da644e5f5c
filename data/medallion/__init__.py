"""From any paged API to bronze, silver and gold. It knows no dataset; a flow tells it one.

Imports lead one way: layers, steps, flow, source and work, lake, host.
"""

__version__ = "0.1.0"
