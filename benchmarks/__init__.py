"""Measurements that take longer than a test may. Each is a command; each says what it measured, and where."""
