"""Puts text from outside into GitHub markdown so that it can only be read."""

from autofix.redact.markdown import cell, code, fence, inline, plain

__all__ = ["cell", "code", "fence", "inline", "plain"]
