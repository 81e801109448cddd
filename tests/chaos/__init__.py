"""Kills at every task boundary of a real line, reruns, and counts what is in the world."""
