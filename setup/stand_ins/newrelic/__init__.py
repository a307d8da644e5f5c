"""In place of New Relic's agent: Mage imports it at its start, and uses it only where it is set up.

No version of the real one has a wheel for macOS. See docs/decisions/0005.
"""

from types import SimpleNamespace

api = SimpleNamespace(exceptions=SimpleNamespace(ConfigurationError=RuntimeError))
