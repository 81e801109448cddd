"""Every situation, in the order of docs/verdicts.md."""

from __future__ import annotations

from tests.support.situations import deployments, elsewhere, fixes, limits, nothing, unknown
from tests.support.situations.shop import Situation

SITUATIONS: tuple[Situation, ...] = tuple(
    found
    for part in (fixes, deployments, elsewhere, limits, nothing, unknown)
    for found in vars(part).values()
    if isinstance(found, Situation)
)
