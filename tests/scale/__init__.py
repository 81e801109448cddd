"""Grown: Prefect on PostgreSQL, two workers, one of them killed in the middle of a fix."""
