"""Local stand-ins of the outside world: an embedded object store and local APIs."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SANDBOX = ROOT / ".sandbox"
"""The folder of what the sandbox keeps between commands."""
