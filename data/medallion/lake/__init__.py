"""The lake: objects, the versions of datasets, and the lease that allows one writer at a time."""
