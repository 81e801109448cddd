"""Frames to findings to incidents. Pure functions of frames, rules and `now`."""
