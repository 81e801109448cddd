"""Situations as telemetry: what Railway, the forge and status pages would answer, and what must follow."""
