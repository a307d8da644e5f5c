"""From any paged API to bronze, silver and gold. It knows no dataset; a flow declares one.

Each package imports only those after it: stages, layers, flow, source and work, lake, host.
"""

__version__ = "0.1.0"
