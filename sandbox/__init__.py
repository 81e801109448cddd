"""A Railway-like world on loopback that really runs sick services. Stands apart from the product."""
