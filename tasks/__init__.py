"""Prefect shells around one call into `autofix` each."""
