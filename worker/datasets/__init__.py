"""The data sets: found or fetched, verified, decoded and preprocessed."""

from worker.datasets.load import Dataset, load

__all__ = ["Dataset", "load"]
