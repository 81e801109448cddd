import httpx
import pytest

from autofix.change.github import GithubClient
from autofix.errors import ConfigError, GithubError
from autofix.settings import Settings
from tests.unit.change.github_app import GithubApp, fault

REPOSITORY = "acme/x"


@pytest.fixture
def app():
    return GithubApp()


@pytest.fixture
def client(settings, app):
    with GithubClient(settings, app) as client:
        yield client


def _open(client, branch="autofix/x-1"):
    return client.open_draft(REPOSITORY, title="T", body="B", branch=branch, base="main")


def test_token_is_required():
    """Without a token the setting is named."""
    with pytest.raises(ConfigError, match="GITHUB_TOKEN is not set"):
        GithubClient(Settings(_env_file=None))


def test_pull_requests_are_found_by_prefix_and_label_on_all_pages(client, app):
    """More than a page is read, and only what matches is returned."""
    for n in range(130):
        app.add_pull(f"feature/{n}")
    app.add_pull("autofix/x-1", labels=[{"name": "autofix"}])
    app.add_pull("autofix/x-2")
    app.add_pull("autofix/x-3", state="closed", labels=[{"name": "autofix"}])
    found = client.find_pull_requests(REPOSITORY, head_prefix="autofix/", label="autofix")
    assert [pull.branch for pull in found] == ["autofix/x-1"]


def test_open_pull_request_of_a_branch_comes_before_closed_ones(client, app):
    """A branch may have had several; none is None."""
    app.add_pull("autofix/x-1")
    app.add_pull("autofix/x-1", state="closed", merged_at="2026-03-02T15:00:00Z")
    assert client.find_by_branch(REPOSITORY, "autofix/x-1").number == 1
    app.pulls[0]["state"] = "closed"
    found = client.find_by_branch(REPOSITORY, "autofix/x-1")
    assert (found.number, found.merged) == (2, True)
    assert client.find_by_branch(REPOSITORY, "autofix/y") is None


def test_missing_branch_is_none_but_missing_repository_is_an_error(client, app):
    """Both are 404 at GitHub; only one of them means that there is no branch."""
    app.branches["main"] = "c" * 40
    assert client.fetch_branch_head(REPOSITORY, "main") == "c" * 40
    assert client.fetch_branch_head(REPOSITORY, "gone") is None
    app.faults = [fault(404), fault(404)]
    with pytest.raises(GithubError, match="not found, or the token may not see it"):
        client.fetch_branch_head(REPOSITORY, "main")


def test_draft_falls_back_to_ordinary(client, app):
    """Where drafts are not to be had, the pull request is opened anyway."""
    assert _open(client).draft
    app.drafts = False
    assert not _open(client, "autofix/x-2").draft


def test_label_is_made_once_and_put_on(client, app):
    """A label that exists is no error."""
    _open(client)
    for _ in range(2):
        client.add_labels(REPOSITORY, 1, ["autofix"])
    assert app.labels == {"autofix"}
    assert {label["name"] for label in app.pulls[0]["labels"]} == {"autofix"}


def test_reads_are_retried_and_writes_are_not(client, app):
    """A read survives two faults, a write is sent once."""
    app.faults = [fault(503), fault(502)]
    assert client.find_pull_requests(REPOSITORY) == ()
    app.faults = [fault(503)]
    with pytest.raises(GithubError):
        _open(client)
    assert app.pulls == []
    assert app.calls.count("POST /repos/acme/x/pulls") == 1


@pytest.mark.parametrize(
    ("response", "message", "retry_after"),
    [
        (fault(401, "Bad credentials"), "GITHUB_TOKEN is wrong or has expired", None),
        (
            fault(403, "Resource not accessible", X_Accepted_GitHub_Permissions="contents=write"),
            "lacks a permission .*needs contents=write",
            None,
        ),
        (fault(422, "Validation Failed"), "was refused: Validation Failed", None),
        (fault(429, "slow down", Retry_After="600"), "rate limit", 600),
        (fault(403, "You have exceeded a secondary rate limit", Retry_After="90"), "rate", 90),
        (
            fault(
                403,
                "API rate limit exceeded",
                X_RateLimit_Remaining="0",
                X_RateLimit_Reset="1772461800",
                Date="Mon, 02 Mar 2026 14:20:00 GMT",
            ),
            "rate limit",
            600,
        ),
    ],
    ids=["token", "permission", "invalid", "limit", "secondary", "hourly"],
)
def test_refusals_say_what_to_do(client, app, response, message, retry_after):
    """Each refusal is one sentence; waits longer than a minute are left to the caller."""
    app.faults = [response] * 4
    with pytest.raises(GithubError, match=message) as caught:
        client.find_pull_requests(REPOSITORY)
    assert caught.value.retry_after == retry_after
    assert len(app.calls) == 1
    assert "ghp_" not in str(caught.value)


def test_page_of_html_is_an_error_not_an_empty_list(client, app):
    """An answer that is no list never means that there is no pull request."""
    app.faults = [lambda: httpx.Response(200, text="<html>")]
    with pytest.raises(GithubError, match="no JSON"):
        client.find_pull_requests(REPOSITORY)
