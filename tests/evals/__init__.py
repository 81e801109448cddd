"""Evaluations of a real model on the sandbox's scenarios. Never part of `make test`."""
