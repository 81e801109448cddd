import subprocess

import pytest

from autofix.change.gate import GateOptions
from autofix.change.github import GithubClient
from autofix.change.ids import branch_name, fix_id
from autofix.change.pr_body import render_marker
from autofix.change.publish import find_existing_change, finish_existing_change, publish
from autofix.change.transfer import AUTHOR_EMAIL, Change, advance, import_bundle, settle
from autofix.errors import GitError, PolicyViolation
from tests.unit.change.github_app import GithubApp

BRANCH = "autofix/acme-x-1"


class Forge:
    """A bare repository on disk, its REST API in memory, and a clone with a fix."""

    def __init__(self, tmp_path, settings, make_repository) -> None:
        self.work = make_repository("source")
        self.base = self.work.commit({"app.py": "1\n"})
        self.bare = tmp_path / "acme" / "x.git"
        self.work.git("clone", "-q", "--bare", ".", str(self.bare))
        self.settings = settings.model_copy(update={"github_url": f"file://{tmp_path}"})
        self.app = GithubApp()
        self.tmp_path = tmp_path
        self.work.git("checkout", "-q", "-b", BRANCH)

    def bundle(self) -> bytes:
        path = self.tmp_path / "out.bundle"
        self.work.git("bundle", "create", "-q", str(path), BRANCH, f"^{self.base}")
        return path.read_bytes()

    def change(self, **fields) -> Change:
        defaults = {"repository": "acme/x", "base_branch": "main", "branch": BRANCH,
                    "base": self.base, "title": "T"}  # fmt: skip
        return Change(**(defaults | fields))

    def heads(self) -> dict[str, str]:
        out = subprocess.check_output(["git", "-C", str(self.bare), "show-ref"], text=True)
        return {ref: commit for commit, ref in (line.split() for line in out.splitlines())}

    def tree_of(self, branch: str) -> str:
        command = ["git", "-C", str(self.bare), "rev-parse", f"refs/heads/{branch}^{{tree}}"]
        return subprocess.check_output(command, text=True).strip()

    def publish(self, **fields):
        self.app.branches = {
            ref.removeprefix("refs/heads/"): commit for ref, commit in self.heads().items()
        }
        with GithubClient(self.settings, self.app) as github:
            return publish(
                self.bundle(), self.change(**fields), settings=self.settings, github=github,
                options=GateOptions(), render=lambda _: "body", workdir=self.tmp_path,
            )  # fmt: skip


@pytest.fixture
def forge(tmp_path, settings, make_repository):
    return Forge(tmp_path, settings, make_repository)


def test_same_change_is_published_once(forge):
    """The judged tree is what the branch holds; a rerun pushes and opens nothing."""
    head = forge.work.commit({"app.py": "2\n"})
    first = forge.publish()
    assert forge.tree_of(BRANCH) == forge.work.git("rev-parse", f"{head}^{{tree}}")
    assert (first.labels, first.draft) == (("autofix",), True)
    assert forge.publish() == first
    assert len(forge.app.pulls) == 1


def test_one_commit_of_ours_is_published(forge):
    """Author, message and history are ours, the tree is the agent's; the same at every run."""
    forge.work.commit({"app.py": "2\n"}, message="First\n\nCloses #1")
    head = forge.work.commit({"app.py": "3\n"}, message="Second @team")
    forge.publish(message="Return the total\n\nWhy.\n")
    command = ["git", "-C", str(forge.bare), "log", "--format=%ae %ce %P %B", f"main..{BRANCH}"]
    log = subprocess.check_output(command, text=True)
    assert log == f"{AUTHOR_EMAIL} {AUTHOR_EMAIL} {forge.base} Return the total\n\nWhy.\n\n"
    settled = {settle(forge.work.path, forge.change(message="m"), head) for _ in range(2)}
    assert len(settled) == 1


def test_closed_pull_request_is_returned_and_not_opened_again(forge):
    """A person's close stands."""
    forge.work.commit({"app.py": "2\n"})
    forge.publish()
    forge.app.pulls[0]["state"] = "closed"
    assert forge.publish().state == "closed"
    assert len(forge.app.pulls) == 1


def test_branch_with_other_commits_is_left_alone(forge):
    """What is there is never overwritten."""
    forge.work.commit({"app.py": "2\n"})
    forge.publish()
    before = forge.heads()
    forge.work.git("reset", "-q", "--hard", forge.base)
    forge.work.commit({"app.py": "3\n"})
    with pytest.raises(GitError, match="holds another commit"):
        forge.publish()
    forge.app.branches = {}
    assert forge.heads() == before


def test_denied_change_leaves_no_trace(forge):
    """Nothing is pushed and nothing opened; every reason is named."""
    forge.work.commit({".github/workflows/x.yml": "x\n", "b.bin": b"\0"})
    with pytest.raises(PolicyViolation, match=r"x\.yml.*b\.bin|b\.bin.*x\.yml"):
        forge.publish()
    assert list(forge.heads()) == ["refs/heads/main"]
    assert forge.app.pulls == []


def test_base_that_is_not_on_the_deployed_branch_is_refused(forge):
    """The base is reported by the agent's side, so it is checked against the forge."""
    forge.base = forge.work.commit({"app.py": "0\n", ".github/x.yml": "x\n"})
    forge.work.commit({"app.py": "2\n"})
    with pytest.raises(GitError, match="is not on branch main"):
        forge.publish()


def test_bundle_of_something_else_is_refused(forge, tmp_path):
    """Bytes that are no bundle, and a bundle without the branch, are errors."""
    forge.work.commit({"app.py": "2\n"})
    for bundle, branch in ((b"no bundle", BRANCH), (forge.bundle(), "autofix/other")):
        with pytest.raises(GitError):
            import_bundle(
                bundle, forge.change(branch=branch), settings=forge.settings, workdir=tmp_path
            )


def test_existing_pull_requests_hold_a_fix_back(forge):
    """The fix's own pull request in any state, or an open one that covers one of its services."""
    work = ["aa-e2-a1"]
    with GithubClient(forge.settings, forge.app) as github:

        def existing(services):
            return find_existing_change(github, "acme/x", fix_id(work), services)

        marker = render_marker(["cc-e1-a1"], ["svc-a", "svc-c"])
        forge.app.add_pull("autofix/acme-x-9", body=f"text {marker}")
        assert existing(["svc-a"]).reason == "pull request #1 is open for the same service"
        assert existing(["svc-b"]) is None
        forge.app.pulls[0]["state"] = "closed"
        assert existing(["svc-a"]) is None
        own = branch_name("acme/x", fix_id(work))
        forge.app.add_pull(own, state="closed")
        assert existing(["svc-a"]).reason == "pull request #2 of this fix is closed"


def test_the_label_that_a_dead_run_did_not_get_to_is_put_on(forge):
    """The own open pull request alone: not one that is closed, nor one of another fix."""
    work = ["aa-e2-a1"]
    forge.app.add_pull(branch_name("acme/x", fix_id(work)))
    forge.app.add_pull("autofix/acme-x-9", body=render_marker(["cc-e1-a1"], ["svc-a"]))
    with GithubClient(forge.settings, forge.app) as github:
        for work_id, labels in (("dd-e1-a1", []), (work[0], ["autofix"])):
            found = find_existing_change(github, "acme/x", fix_id([work_id]), ["svc-a"])
            finish_existing_change(github, "acme/x", fix_id([work_id]), found)
            assert [label["name"] for label in forge.app.pulls[0]["labels"]] == labels
    assert forge.app.pulls[1]["labels"] == []


def test_an_answer_is_pushed_onto_our_newest_commit_and_once(forge):
    """One more commit of ours on top; a rerun finds it there."""
    forge.work.commit({"app.py": "2\n"})
    forge.publish()
    published = forge.heads()[f"refs/heads/{BRANCH}"]
    change = _answer(forge, published, {"app.py": "3\n"})
    after = forge.heads()[f"refs/heads/{BRANCH}"]
    command = ["git", "-C", str(forge.bare), "log", "--format=%P %ae", "-1", after]
    parent, author = subprocess.check_output(command, text=True).split()
    assert (parent, author) == (published, AUTHOR_EMAIL)
    assert change() == after
    assert forge.heads()[f"refs/heads/{BRANCH}"] == after


def test_an_answer_is_not_pushed_onto_what_somebody_else_pushed(forge):
    """Nor onto a branch that is gone: the lease holds even where the look-up was too early."""
    forge.work.commit({"app.py": "2\n"})
    forge.publish()
    ref = f"refs/heads/{BRANCH}"
    published = forge.heads()[ref]
    other = subprocess.check_output(
        ["git", "-C", str(forge.bare), "-c", "user.name=R", "-c", "user.email=r@acme.test",
         "commit-tree", f"{published}^{{tree}}", "-p", published, "-m", "Mine"], text=True,
    ).strip()  # fmt: skip
    subprocess.run(["git", "-C", str(forge.bare), "update-ref", ref, other], check=True)
    with pytest.raises(GitError, match="so nothing is pushed onto it"):
        _answer(forge, published, {"app.py": "3\n"})
    forge.app.branches = {BRANCH: published}  # the forge's answer is older than its repository
    with pytest.raises(GitError):
        _answer(forge, published, {"app.py": "3\n"}, look=False)
    assert forge.heads()[ref] == other


def _answer(forge, published, files, *, look=True):
    """The agent's commit on what was published, settled and pushed; a function that does it again."""
    forge.work.git("fetch", "-q", str(forge.bare), published)
    forge.work.git("checkout", "-q", "-B", BRANCH, published)
    forge.work.commit(files)
    path = forge.tmp_path / "answer.bundle"
    forge.work.git("bundle", "create", "-q", str(path), BRANCH, f"^{published}")
    change = forge.change(base_branch=BRANCH, base=published, title="Answer")

    def push_again():
        if look:
            forge.app.branches = {BRANCH: forge.heads()[f"refs/heads/{BRANCH}"]}
        workdir = forge.tmp_path / "answer"
        workdir.mkdir(exist_ok=True)
        with GithubClient(forge.settings, forge.app) as github:
            repository, head = import_bundle(
                path.read_bytes(), change, settings=forge.settings, workdir=workdir
            )
            commit = settle(repository, change, head)
            advance(repository, change, commit, settings=forge.settings, github=github)
        return commit

    push_again()
    return push_again
