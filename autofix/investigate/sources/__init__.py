"""Where evidence comes from: one module a source, each read by itself and failing alone."""
