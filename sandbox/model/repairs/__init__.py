"""Code transformations of the rehearsal model, each for one shape of code and no name."""

from sandbox.model.repairs.growing_list import bound_growing_list
from sandbox.model.repairs.missing_key import default_missing_key
from sandbox.model.repairs.query_per_row import join_queries
from sandbox.model.repairs.source import Companion, Repair, Source

__all__ = [
    "Companion",
    "Repair",
    "Source",
    "bound_growing_list",
    "default_missing_key",
    "join_queries",
]
