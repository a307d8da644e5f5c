"""Runs the work on this machine or on a Dask cluster, in tasks of bounded memory."""
