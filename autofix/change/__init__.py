"""A plan to commits to a draft pull request: OpenCode session, gate, forge."""
