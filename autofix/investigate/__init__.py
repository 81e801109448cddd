"""Incidents to evidence to a verdict that code can defend."""
