"""Railway to frames: what runs, and how it did over a window."""
