"""Kills at every task boundary of a real line, reruns, and counts what is in the world."""

KILLED = "killed"
"""A file of this name is touched when a process that may hold a slot is killed."""
