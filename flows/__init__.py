"""The story: one file a flow, each readable on a screen."""
