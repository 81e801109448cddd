"""A forge: the part of GitHub's REST API that is used, and smart HTTP, over real bare repositories."""
