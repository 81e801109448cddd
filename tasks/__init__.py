"""Prefect shells around one call into `autofix` each."""

from tasks.guard import guard_logs

guard_logs()  # before any task can run: what a run logs goes through the door
