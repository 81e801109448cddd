"""Merged fixes to an outcome: the same eyes look again, before and after."""
