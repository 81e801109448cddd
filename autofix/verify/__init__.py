"""Did a merged fix help? The same detector looks again."""
