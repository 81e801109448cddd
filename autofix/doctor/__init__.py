"""Holds every setting against its real other side, and says what to do."""
