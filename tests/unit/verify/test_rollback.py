from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from autofix.change.github_life import LifeClient
from autofix.errors import RailwayError
from autofix.models import Deployment, Outcome
from autofix.observe.details import Deployed
from autofix.verify.rollback import roll_back
from autofix.verify.verification import Settled
from tests.unit.verify.forge import REPOSITORY, ForgeApp, open_forge
from tests.unit.verify.simulate import LIVE

OLD, NEW = "0" * 40, "a" * 40


class Railway:
    """The two calls that a rollback makes; counts what was asked."""

    def __init__(self, *deployed: Deployed, refuses: bool = False) -> None:
        self.deployed, self.refuses = deployed, refuses
        self.asked: list[str] = []

    def fetch_history(self, service_id: str) -> list[Deployed]:
        return list(self.deployed)

    def roll_back(self, deployment_id: str) -> None:
        self.asked.append(deployment_id)
        if self.refuses:
            raise RailwayError("not authorized")


def _deployment(name: str, minutes: float, commit: str) -> Deployment:
    return Deployment(
        id=name,
        service_id="svc",
        status="SUCCESS",
        created_at=LIVE + timedelta(minutes=minutes),
        commit=commit,
    )


BACK, NOW = _deployment("dep-1", -600, OLD), _deployment("dep-2", 0, NEW)


def _railway(**more: Any) -> Railway:
    old = Deployed(deployment=BACK, can_roll_back=more.pop("image", True))
    extra = more.pop("extra", ())
    return Railway(old, Deployed(deployment=NOW), *extra, **more)


@pytest.fixture
def app() -> ForgeApp:
    app = ForgeApp()
    app.add_pull(state="closed", merged_at="2026-03-02T11:40:00Z", merge_commit_sha=NEW)
    app.compared[OLD, NEW] = "ahead"
    return app


@pytest.fixture
def forge(app: ForgeApp) -> Iterator[LifeClient]:
    with open_forge(app) as client:
        yield client


def _settled(forge: LifeClient, outcome: Outcome = Outcome.worse) -> Settled:
    return Settled(
        pull_request=forge.fetch_pull(REPOSITORY, 1),
        outcome=outcome,
        reasons=("5xx rose",),
        times=(),
        deployment=NOW,
        rollback_to=BACK,
    )


def test_a_fix_that_made_it_worse_is_rolled_back_once(forge: LifeClient, app: ForgeApp) -> None:
    """The comment stands before anything is asked; whoever finds it does nothing."""
    railway: Any = _railway()
    for _ in range(3):
        roll_back(railway, forge, _settled(forge), str)
    assert railway.asked == ["dep-1"]
    assert len(app.comments[1]) == 1


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.worse])
def test_no_other_outcome_rolls_back(forge: LifeClient, outcome: Outcome) -> None:
    """Nothing is asked and nothing is said."""
    railway: Any = _railway()
    assert roll_back(railway, forge, _settled(forge, outcome), str) == "nothing to roll back"
    assert railway.asked == []


@pytest.mark.parametrize(
    "path",
    ["db/migrate/20260101_add_index.rb", "app/migrations/0002_auto.py", "schema.sql", "alembic/env.py",
     "prisma/migrations/1/migration.sql"],
)  # fmt: skip
def test_it_never_goes_across_what_looks_like_a_migration(
    forge: LifeClient, app: ForgeApp, path: str
) -> None:
    """The database stays changed when the code goes back."""
    app.changed = ["app.py", path]
    railway: Any = _railway()
    said = roll_back(railway, forge, _settled(forge), str)
    assert railway.asked == []
    assert "migration" in said
    assert path in app.comments[1][0]["body"]


def test_without_the_image_or_after_another_deployment_a_person_decides(
    forge: LifeClient, app: ForgeApp
) -> None:
    """Railway keeps images for a while only; and what came after is not ours."""
    gone: Any = _railway(image=False)
    assert "no image" in roll_back(gone, forge, _settled(forge), str)
    app.comments.clear()
    later = Deployed(deployment=_deployment("dep-3", 9, "b" * 40))
    moved: Any = _railway(extra=(later,))
    assert "another deployment" in roll_back(moved, forge, _settled(forge), str)
    assert gone.asked == moved.asked == []


def test_a_refusal_is_said_and_not_asked_again(forge: LifeClient, app: ForgeApp) -> None:
    """At most once means once, also when it did not work."""
    railway: Any = _railway(refuses=True)
    roll_back(railway, forge, _settled(forge), str)
    roll_back(railway, forge, _settled(forge), str)
    assert railway.asked == ["dep-1"]
    assert "refused" in app.comments[1][1]["body"]
