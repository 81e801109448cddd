"""The product's client against the forge, on what follows the opening of a pull request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autofix.change.github_life import LifeClient
from autofix.doctor.forge import ProbeClient, check_forge
from autofix.settings import Settings
from tests.sandbox.test_forge import REPO, TOKEN, World, world

__all__ = ["world"]
REPOSITORY = "acme/shop"


@pytest.fixture
def client(world: World) -> Iterator[LifeClient]:
    settings = Settings(_env_file=None, github_token=TOKEN, github_api_url=world.address)
    with LifeClient(settings) as client:
        yield client


def test_checks_of_the_head_are_read_and_only_failed_ones_told(
    world: World, client: LifeClient
) -> None:
    """By commit; a success is nothing to answer."""
    head = world.push_branch("autofix/x")
    world.open("autofix/x")
    for name, conclusion in (("lint", "success"), ("tests", "failure")):
        world.client.post(
            f"{REPO}/check-runs",
            json={
                "name": name,
                "head_sha": head,
                "conclusion": conclusion,
                "output": {"title": "1 failed", "summary": "test_total"},
            },
        ).raise_for_status()
    found = client.fetch_failed_checks(REPOSITORY, head)
    assert [(check.name, check.summary) for check in found] == [("tests", "1 failed\ntest_total")]


def test_a_maintainers_request_for_changes_counts_until_they_approve(
    world: World, client: LifeClient
) -> None:
    """The newest word of a person is their word."""
    world.push_branch("autofix/x")
    world.open("autofix/x")
    reviews = f"{REPO}/pulls/1/reviews"
    world.client.post(reviews, json={"event": "REQUEST_CHANGES", "body": "Bound it."})
    assert [r.body for r in client.fetch_change_requests(REPOSITORY, 1)] == ["Bound it."]
    world.client.post(reviews, json={"event": "APPROVE"})
    assert client.fetch_change_requests(REPOSITORY, 1) == ()
    assert not client.may_write(REPOSITORY, "stranger")


def test_a_conflict_with_the_base_is_told(world: World, client: LifeClient) -> None:
    """As GitHub's `mergeable`; known for one pull request at a time."""
    world.push_branch("autofix/x")
    world.open("autofix/x")
    assert client.fetch_pull(REPOSITORY, 1).mergeable is True
    world.push_branch("main", "other\n")
    assert client.fetch_pull(REPOSITORY, 1).mergeable is False


def test_a_merge_is_found_in_what_came_after_it(world: World, client: LifeClient) -> None:
    """Equal and descending commits contain it, earlier and unknown ones do not."""
    before = world.git("rev-parse", "origin/main").strip()
    world.push_branch("autofix/x")
    world.open("autofix/x")
    world.client.put(f"{REPO}/pulls/1/merge", json={}).raise_for_status()
    merge = client.fetch_pull(REPOSITORY, 1).merge_commit
    assert merge is not None
    world.git("fetch", "--quiet", "origin")
    later = world.push_branch("main", "later\n")
    assert client.contains(REPOSITORY, merge, merge)
    assert client.contains(REPOSITORY, merge, later)
    assert not client.contains(REPOSITORY, merge, before)
    assert not client.contains(REPOSITORY, merge, "f" * 40)


def test_a_close_is_read_back(world: World, client: LifeClient) -> None:
    """And so is a comment that was changed."""
    world.push_branch("autofix/x")
    world.open("autofix/x")
    client.post_comment(REPOSITORY, 1, "one")
    (comment,) = client.fetch_comments(REPOSITORY, 1)
    client.edit_comment(REPOSITORY, comment.id, "two")
    client.close_pull(REPOSITORY, 1)
    assert [c.body for c in client.fetch_comments(REPOSITORY, 1)] == ["two"]
    assert client.fetch_pull(REPOSITORY, 1).state == "closed"


def test_the_doctors_probes_make_nothing_and_find_the_token_allowed(world: World) -> None:
    """Refused for their content, not for a permission; no branch and no pull request is left."""
    settings = Settings(_env_file=None, github_token=TOKEN, github_api_url=world.address)
    with ProbeClient(settings) as client:
        (check,) = check_forge(client, [REPOSITORY])
    assert check.ok, check.detail
    assert world.client.get(f"{REPO}/pulls", params={"state": "all"}).json() == []
    assert world.client.get(f"{REPO}/git/matching-refs/heads/autofix").json() == []
