"""The web service: API, page, database and queue."""

__version__ = "0.1.0"
