"""The forge over its REST API and pages, with real git underneath."""

from __future__ import annotations

import base64
import gzip
import queue
import subprocess
from pathlib import Path

import httpx
import pytest

from sandbox.forge.app import Forge
from sandbox.forge.markdown import render_markdown
from tests.sandbox.serving import serve

TOKEN = "forge-token"
REPO = "/repos/acme/shop"


class World:
    """A forge with one repository, a clone of it, and what its pushes announced."""

    def __init__(self, address: str, forge: Forge, folder: Path, pushes: queue.Queue) -> None:
        self.address = address
        self.forge = forge
        self.folder = folder
        self.pushes = pushes
        self.clone = folder / "clone"
        self.remote = address.replace("://", f"://x-access-token:{TOKEN}@") + "/acme/shop.git"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.client = httpx.Client(base_url=address, headers=headers, timeout=10)
        self.git("clone", "--quiet", self.remote, str(self.clone), cwd=folder)

    def git(self, *arguments: str, cwd: Path | None = None, check: bool = True) -> str:
        who = ("-c", "user.name=T", "-c", "user.email=t@example.com")
        command = ["git", *who, *arguments]
        done = subprocess.run(
            command, cwd=cwd or self.clone, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout if check else done.stderr

    def push_branch(self, branch: str, text: str = "new\n", start: str = "origin/main") -> str:
        self.git("checkout", "--quiet", "-B", branch, start)
        (self.clone / "app.py").write_text(text)
        self.git("commit", "--quiet", "--all", "--message", f"Change {branch}")
        self.git("push", "--quiet", "--force", "origin", branch)
        return self.git("rev-parse", "HEAD").strip()

    def open(self, branch: str, **fields: object) -> httpx.Response:
        body = {"title": "Fix it", "head": branch, "base": "main", "body": "Why", **fields}
        return self.client.post(f"{REPO}/pulls", json=body)


@pytest.fixture
def world(tmp_path):
    source = tmp_path / "source"
    (source / "docs").mkdir(parents=True)
    (source / "app.py").write_text("old\n")
    (source / "docs" / "a b.md").write_text("# Docs\n")
    pushes: queue.Queue = queue.Queue()
    forge = Forge(tmp_path / "forge", TOKEN, lambda *moved: pushes.put(moved))
    forge.create_repository("acme/shop", source, "Import the shop")
    with serve(forge.app) as address:
        world = World(address, forge, tmp_path, pushes)
        with world.client:
            yield world


def test_a_repository_starts_with_one_commit_of_the_folder(world):
    """The first commit holds the folder's files and is what main stands at."""
    head = world.git("rev-parse", "HEAD").strip()
    assert world.git("log", "--format=%s|%an") == "Import the shop|Robin Example\n"
    assert (world.clone / "docs" / "a b.md").read_text() == "# Docs\n"
    assert world.client.get(f"{REPO}/git/ref/heads/main").json()["object"]["sha"] == head
    assert world.forge.git_dir("acme/shop").is_dir()


def test_everybody_reads_and_only_the_token_pushes(world):
    """Clone needs no password; a push without it or with a wrong one is refused."""
    public = f"{world.address}/acme/shop.git"
    world.git("clone", "--quiet", public, str(world.folder / "public"), cwd=world.folder)
    quiet = ("-c", "credential.helper=", "-c", "core.askPass=true")
    for remote in (public, world.remote.replace(TOKEN, "wrong")):
        refused = world.git(*quiet, "push", remote, "HEAD:refs/heads/x", check=False)
        assert "Authentication failed" in refused or "could not read" in refused
    assert world.client.get(f"{REPO}/branches/x").status_code == 404


def test_a_push_is_announced_with_branch_and_commit(world):
    """Each branch a push moved is told once, with the commit it now stands at."""
    sha = world.push_branch("topic")
    assert world.pushes.get(timeout=5) == ("acme/shop", "topic", sha)
    assert world.pushes.empty()


@pytest.mark.parametrize("version", ["0", "2"])
def test_both_protocol_versions_fetch(world, version):
    """Old and new clients get the same branches."""
    world.push_branch("topic")
    out = world.git("-c", f"protocol.version={version}", "ls-remote", "--heads", world.remote)
    assert [line.split("\t")[1] for line in out.splitlines()] == [
        "refs/heads/main",
        "refs/heads/topic",
    ]
    world.git("-c", f"protocol.version={version}", "fetch", "--quiet", "--refetch", world.remote)


def test_compressed_requests_are_understood(world):
    """Git compresses what is longer than a kilobyte."""
    body = gzip.compress(b"0014command=ls-refs\n0000")
    headers = {"Content-Encoding": "gzip", "Git-Protocol": "version=2"}
    with httpx.Client(base_url=world.address) as anonymous:
        answer = anonymous.post("/acme/shop.git/git-upload-pack", content=body, headers=headers)
    assert b"refs/heads/main" in answer.content


def test_a_pull_request_from_opening_to_merge(world):
    """Opened as draft, found by its head, merged by a person: main moves and is announced."""
    sha = world.push_branch("autofix/shop-1")
    opened = world.open("autofix/shop-1", draft=True)
    assert opened.status_code == 201
    pull = opened.json()
    assert (pull["state"], pull["draft"], pull["merged"]) == ("open", True, False)
    assert pull["head"] | {"label": None} == {
        "label": None,
        "ref": "autofix/shop-1",
        "sha": sha,
        "repo": {"full_name": "acme/shop", "name": "shop"},
    }
    assert (pull["commits"], pull["additions"], pull["deletions"]) == (1, 1, 1)
    found = world.client.get(f"{REPO}/pulls", params={"head": "acme:autofix/shop-1"}).json()
    assert [p["number"] for p in found] == [pull["number"]]
    world.pushes.get(timeout=5)

    merged = world.client.put(f"{REPO}/pulls/1/merge")
    assert merged.status_code == 200
    commit = world.client.get(f"{REPO}/commits/main").json()
    assert commit["sha"] == merged.json()["sha"]
    assert [parent["sha"] for parent in commit["parents"]][1] == sha
    assert world.pushes.get(timeout=5) == ("acme/shop", "main", commit["sha"])
    after = world.client.get(f"{REPO}/pulls/1").json()
    assert (after["state"], after["merged"], after["draft"]) == ("closed", True, False)
    assert after["merged_at"] == after["closed_at"] is not None
    assert after["changed_files"] == 1
    assert world.client.get(f"{REPO}/pulls").json() == []
    assert world.client.put(f"{REPO}/pulls/1/merge").status_code == 405


def test_a_squash_leaves_one_commit_with_one_parent(world):
    """A squash merge brings the change without the branch's commits."""
    sha = world.push_branch("topic")
    world.open("topic")
    world.client.put(f"{REPO}/pulls/1/merge", json={"merge_method": "squash", "sha": sha})
    commit = world.client.get(f"{REPO}/commits/main").json()
    assert len(commit["parents"]) == 1
    assert commit["commit"]["message"] == "Fix it (#1)"


def test_a_conflict_and_a_moved_head_are_not_merged(world):
    """What cannot be merged cleanly, or is not what was looked at, stays open."""
    world.push_branch("one", "one\n")
    world.push_branch("two", "two\n")
    world.open("one")
    world.open("two")
    assert world.client.put(f"{REPO}/pulls/1/merge", json={"sha": "0" * 40}).status_code == 409
    assert world.client.put(f"{REPO}/pulls/1/merge").status_code == 200
    assert world.client.put(f"{REPO}/pulls/2/merge").status_code == 405
    assert world.client.get(f"{REPO}/pulls/2").json()["state"] == "open"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"title": ""}, {"field": "title", "code": "missing_field"}),
        ({"head": "absent"}, {"field": "head", "code": "invalid"}),
        ({"base": "absent"}, {"field": "base", "code": "invalid"}),
        ({"head": "main"}, {"code": "custom", "message": "No commits between main and main"}),
        (
            {"body": "x" * 65_537},
            {
                "field": "body",
                "code": "custom",
                "message": "body is too long (maximum is 65536 characters)",
            },
        ),
    ],
)
def test_a_pull_request_that_makes_no_sense_is_refused(world, fields, expected):
    """The reasons GitHub refuses for come as 422 with an errors list."""
    world.push_branch("topic")
    refused = world.open("topic", **fields)
    assert refused.status_code == 422
    assert refused.json()["message"] == "Validation Failed"
    assert refused.json()["errors"] == [{"resource": "PullRequest", **expected}]


def test_one_branch_has_one_open_pull_request(world):
    """A second one is refused until the first is closed; after that a new one may come."""
    world.push_branch("topic")
    assert world.open("topic").status_code == 201
    again = world.open("topic", head="acme:topic")
    assert again.status_code == 422
    assert again.json()["errors"][0]["message"] == "A pull request already exists for acme:topic."
    closed = world.client.patch(f"{REPO}/pulls/1", json={"state": "closed"}).json()
    assert (closed["state"], closed["merged"]) == ("closed", False)
    assert closed["closed_at"]
    assert world.open("topic").json()["number"] == 2


def test_a_pull_request_follows_its_branch(world):
    """A push moves its head; deleting the branch closes it."""
    world.push_branch("topic")
    world.open("topic")
    sha = world.push_branch("topic", "newer\n")
    assert world.client.get(f"{REPO}/pulls/1").json()["head"]["sha"] == sha
    assert world.client.delete(f"{REPO}/git/refs/heads/topic").status_code == 204
    assert world.client.get(f"{REPO}/pulls/1").json()["state"] == "closed"
    assert world.client.delete(f"{REPO}/git/refs/heads/topic").status_code == 422


def test_files_and_commits_of_a_pull_request(world):
    """What it changes is counted from where it left main, whatever main did since."""
    sha = world.push_branch("topic", "new\nline\n")
    world.open("topic")
    world.push_branch("main", "elsewhere\n")
    (file,) = world.client.get(f"{REPO}/pulls/1/files").json()
    assert (file["filename"], file["status"]) == ("app.py", "modified")
    assert (file["additions"], file["deletions"]) == (2, 1)
    assert file["patch"] == "@@ -1 +1,2 @@\n-old\n+new\n+line"
    commits = world.client.get(f"{REPO}/pulls/1/commits").json()
    assert [(c["sha"], c["commit"]["message"]) for c in commits] == [(sha, "Change topic")]


def test_comments_and_labels(world):
    """Comments can be added and edited; a label exists once and can be put on."""
    world.push_branch("topic")
    world.open("topic")
    issue = f"{REPO}/issues/1"
    posted = world.client.post(f"{issue}/comments", json={"body": "Before"})
    assert posted.status_code == 201
    comment = f"{REPO}/issues/comments/{posted.json()['id']}"
    assert world.client.patch(comment, json={"body": "After"}).json()["body"] == "After"
    assert [c["body"] for c in world.client.get(f"{issue}/comments").json()] == ["After"]
    label = {"name": "autofix", "color": "0e8a16", "description": "By a tool"}
    assert world.client.post(f"{REPO}/labels", json=label).status_code == 201
    again = world.client.post(f"{REPO}/labels", json=label)
    assert again.status_code == 422
    assert again.json()["errors"][0]["code"] == "already_exists"
    put = world.client.post(f"{issue}/labels", json={"labels": ["autofix", "more"]}).json()
    assert put[0] == label
    assert [item["name"] for item in put] == ["autofix", "more"]
    pull = world.client.get(f"{REPO}/pulls").json()[0]
    assert [item["name"] for item in pull["labels"]] == ["autofix", "more"]


def test_lists_come_in_pages(world):
    """The Link header leads from page to page, newest first, with the query kept."""
    for number in range(5):
        world.push_branch(f"t{number}", f"{number}\n")
        world.open(f"t{number}")
    seen, address = [], f"{REPO}/pulls?state=open&per_page=2"
    while address:
        answer = world.client.get(address)
        seen += [pull["number"] for pull in answer.json()]
        address = answer.links.get("next", {}).get("url")
    assert seen == [5, 4, 3, 2, 1]
    assert answer.links["first"]["url"].endswith("state=open&per_page=2&page=1")


def test_contents_trees_and_references(world):
    """Files come raw or as JSON, folders and trees as lists, branches by prefix."""
    sha = world.push_branch("autofix/a")
    folder = world.client.get(f"{REPO}/contents/docs").json()
    assert [(e["path"], e["type"]) for e in folder] == [("docs/a b.md", "file")]
    file = world.client.get(f"{REPO}/contents/app.py", params={"ref": sha}).json()
    assert base64.b64decode(file["content"]) == b"new\n"
    raw = {"Accept": "application/vnd.github.raw+json"}
    assert world.client.get(f"{REPO}/contents/docs/a b.md", headers=raw).text == "# Docs\n"
    for absent in ("contents/none.py", "contents/app.py?ref=none", "git/trees/none"):
        assert world.client.get(f"{REPO}/{absent}").status_code == 404
    tree = world.client.get(f"{REPO}/git/trees/{sha}", params={"recursive": 1}).json()
    assert [e["path"] for e in tree["tree"]] == ["app.py", "docs", "docs/a b.md"]
    found = world.client.get(f"{REPO}/git/matching-refs/heads/autofix/").json()
    assert found == [{"ref": "refs/heads/autofix/a", "object": {"type": "commit", "sha": sha}}]


def test_compare_counts_both_ways(world):
    """Ahead and behind are told, with the commits and files from where the two part."""
    sha = world.push_branch("topic")
    world.push_branch("main", "elsewhere\n")
    answer = world.client.get(f"{REPO}/compare/main...topic").json()
    assert (answer["status"], answer["ahead_by"], answer["behind_by"]) == ("diverged", 1, 1)
    assert [commit["sha"] for commit in answer["commits"]] == [sha]
    assert [file["filename"] for file in answer["files"]] == ["app.py"]
    assert world.client.get(f"{REPO}/compare/main...main").json()["status"] == "identical"


def test_a_name_that_looks_like_an_option_is_no_option(world):
    """What comes in an address is never taken for a git option."""
    for path in ("commits/--help", "git/trees/--help", "compare/--all...main"):
        assert world.client.get(f"{REPO}/{path}").status_code == 404


def test_who_may_ask(world):
    """A wrong token is told from none, and both from a repository that is not there."""
    wrong = {"Authorization": "Bearer wrong"}
    assert world.client.get("/user", headers=wrong).json()["message"] == "Bad credentials"
    assert world.client.get("/user").json()["login"] == "acme-bot"
    assert world.client.get("/api/v3/user").json()["login"] == "acme-bot"
    assert world.client.get("/repos/acme/none").json()["message"] == "Not Found"
    with httpx.Client(base_url=world.address) as anonymous:
        assert anonymous.get(REPO).json()["full_name"] == "acme/shop"
        refused = anonymous.post(f"{REPO}/labels", json={"name": "x"})
        assert (refused.status_code, anonymous.get("/user").status_code) == (401, 401)


def test_the_rate_is_counted(world):
    """Every answer says how much is left, and each call takes one."""
    first, second = (world.client.get(REPO).headers for _ in range(2))
    assert int(first["X-RateLimit-Remaining"]) == int(second["X-RateLimit-Remaining"]) + 1
    rate = world.client.get("/rate_limit").json()["resources"]["core"]
    assert (rate["limit"], rate["limit"] - rate["remaining"]) == (5000, rate["used"])


def test_a_person_reads_and_merges_on_the_page(world):
    """The page shows text and diff, escapes what is not markdown, and its button merges."""
    world.push_branch("topic", "<script>alert(1)</script>\n")
    world.open("topic", body="## Root cause\n\n| a | b |\n| - | - |\n| 1 | <b>2</b> |", draft=True)
    page = world.client.get("/acme/shop/pull/1").text
    assert "<h2>Root cause</h2>" in page
    assert "<td>&lt;b&gt;2&lt;/b&gt;</td>" in page
    assert '<span class="plus">+&lt;script&gt;alert(1)&lt;/script&gt;</span>' in page
    assert "Fix it" in world.client.get("/").text
    assert world.client.post("/acme/shop/pull/1/merge", data={"token": "x"}).status_code == 403
    token = page.partition('name="token" value="')[2].partition('"')[0]
    pressed = world.client.post("/acme/shop/pull/1/merge", data={"token": token})
    assert pressed.status_code == 303
    assert world.client.get(f"{REPO}/pulls/1").json()["merged"]


def test_markdown_lets_sections_fold_and_nothing_else_through():
    """Folding sections work; other HTML, dangerous links and images do not."""
    text = (
        "<details><summary>More</summary>\n\n- **one**\n\n</details>\n\n<!-- marker -->\n\n"
        "[x](javascript:alert(1)) ![i](http://elsewhere/i.png) <img src=x onerror=alert(1)>"
    )
    shown = render_markdown(text)
    assert shown.startswith("<details><summary>More</summary>")
    assert "<li><strong>one</strong></li>" in shown
    assert "marker" not in shown
    assert "<img" not in shown
    assert 'href="javascript' not in shown
