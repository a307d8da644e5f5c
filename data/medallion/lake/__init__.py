"""The lake: objects, the versions that they make up, and the lease that keeps writers apart."""
