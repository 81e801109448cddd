"""A corpus for the door: lines with secrets that never were, and lines that must stay."""
