"""The repository at the deployed commit, as far as the evidence leads into it.

Nothing here parses a language. Definitions, routes, loops and queries are found by how they are
written in the common languages and frameworks; what is not found is simply not shown.
"""
