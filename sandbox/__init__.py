"""The outside world on loopback: an embedded object store and a local Open Brewery DB."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SANDBOX = ROOT / ".sandbox"
"""What the sandbox keeps from one command to the next."""
