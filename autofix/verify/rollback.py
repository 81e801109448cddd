"""Back to what served before a fix that made it worse: only where a person switched it on, once."""

from __future__ import annotations

import re
from collections.abc import Callable

from autofix.change.github_life import LifeClient
from autofix.change.markdown import code
from autofix.errors import RailwayError
from autofix.models import Outcome
from autofix.observe.railway import RailwayClient
from autofix.verify.verification import Settled

MARKER = "<!-- railway-autofix rollback -->"
"""By which the comment is found again: it stands before anything is asked of Railway."""
_MIGRATION = re.compile(
    r"(?:^|/)(?:migrations?|migrate|alembic|flyway|liquibase|schema)(?:/|\.|$)|\.sql$",
    re.IGNORECASE,
)


def roll_back(
    railway: RailwayClient, forge: LifeClient, settled: Settled, redact: Callable[[str], str]
) -> str:
    """Ask Railway for the rollback unless something speaks against it; one line on what was done.

    At most once: the comment is written first, and who finds it does nothing.

    Args:
        railway: asks for the rollback.
        forge: reads what lies between the two deployments, and says what is done.
        settled: a verification that ended as worse.
        redact: takes secrets out of the comment.
    """
    pull, back = settled.pull_request, settled.rollback_to
    if settled.outcome is not Outcome.worse or back is None or settled.deployment is None:
        return "nothing to roll back"
    comments = forge.fetch_comments(pull.repository, pull.number)
    if any(c.author == pull.author and c.body.startswith(MARKER) for c in comments):
        return "rolled back before"
    against = _why_not(railway, forge, settled)
    text = (
        f"Not rolled back by itself: {against}." if against else f"Rolling back to {code(back.id)}."
    )
    comment = forge.post_comment(pull.repository, pull.number, redact(f"{MARKER}\n{text}\n"))
    if against:
        return text
    try:
        railway.roll_back(back.id)
    except RailwayError as error:
        said = f"The rollback to {code(back.id)} was asked for and refused: {error}"
        forge.post_comment(pull.repository, pull.number, redact(said))
        return said
    return f"rolled back to {back.id} ({comment})"


def _why_not(railway: RailwayClient, forge: LifeClient, settled: Settled) -> str:
    """What speaks against it; empty when nothing does."""
    pull, back, now = settled.pull_request, settled.rollback_to, settled.deployment
    if back is None or now is None or back.commit is None or now.commit is None:
        return "the commits of the two deployments are not known"
    known = {d.deployment.id: d for d in railway.fetch_history(now.service_id)}
    if back.id not in known or not known[back.id].can_roll_back:
        return "Railway keeps no image of that deployment any more"
    newest = max((d.deployment for d in known.values()), key=lambda d: d.created_at)
    if newest.id != now.id:
        return "another deployment came after it"
    paths = forge.fetch_changed_paths(pull.repository, back.commit, now.commit)
    migrations = [path for path in paths if _MIGRATION.search(path)]
    if migrations:
        return f"{code(migrations[0])} looks like a migration, which a rollback would not undo"
    return ""
