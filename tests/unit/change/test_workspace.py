"""The scripts run for real: the shell endpoint is replaced by this machine's own shell."""

import json
import os
import subprocess
import time

import httpx
import pytest

from autofix.change.attach import attach_command
from autofix.change.ids import branch_name, session_id
from autofix.change.opencode import OpencodeClient
from autofix.change.workspace import (
    KEPT,
    clone_name,
    end_processes,
    fetch_bundle,
    fetch_head,
    measure_disk,
    prepare_workspace,
    remove_workspace,
)
from autofix.errors import OpencodeError
from tests.unit.change.opencode_app import OpencodeApp

BRANCH = branch_name("acme/x", "f1")


class ShellApp(OpencodeApp):
    """Runs the commands it is given."""

    def __init__(self, root) -> None:
        super().__init__()
        self.root = root

    def _answer(self, request):
        if request.url.path.endswith("/shell"):
            self.shell_output = self._run(json.loads(request.content)["command"])
        if request.url.path == "/file/content":
            path = self.root / request.url.params["path"]
            self.files[request.url.params["path"]] = path.read_bytes()
        return super()._answer(request)

    shell_failure = ""

    def _run(self, command: str) -> str:
        if self.shell_failure:
            return f"{self.shell_failure}\n\nautofix-exit:128\n"
        done = subprocess.run(
            ["bash", "-c", f"eval {json.dumps(command)}"], cwd=self.root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return done.stdout


class World:
    def __init__(self, tmp_path, settings, make_repository) -> None:
        self.source = make_repository("acme/x.git")
        self.first = self.source.commit({"a": "1\n"})
        self.root = tmp_path / "work"
        self.root.mkdir()
        self.app = ShellApp(self.root)
        self.settings = settings.model_copy(
            update={
                "github_url": f"file://{tmp_path}/acme/..",
                "opencode_workspace": str(self.root),
            }
        )
        self.client = OpencodeClient(self.settings, httpx.MockTransport(self.app.handler))

    def prepare(self, fix_id="f1", **fields):
        return prepare_workspace(
            self.client,
            self.settings,
            repository="acme/x",
            fix_id=fix_id,
            base_branch="main",
            **fields,
        )

    def begin_session(self) -> None:
        self.client.ensure_session(session_id("f1"), str(self.root / "f1"), title="t", metadata={})

    @property
    def clone(self):
        return self.root / "f1" / "x"

    def git(self, *args: str) -> str:
        out = subprocess.check_output(["git", "-C", str(self.clone), *args], text=True)
        return out.strip()

    def agent_commits(self) -> str:
        (self.clone / "a").write_text("2\n")
        self.git("commit", "-aqm", "x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def world(tmp_path, settings, make_repository):
    world = World(tmp_path, settings, make_repository)
    yield world
    world.client.close()


def test_clone_lies_below_a_folder_that_is_no_repository(world):
    """The branch stands at the deployed branch's head, with an identity to commit with."""
    workspace = world.prepare()
    assert workspace.directory == str(world.root / "f1")
    assert not (world.root / "f1" / ".git").exists()
    assert (workspace.clone, workspace.base, workspace.branch) == ("x", world.first, BRANCH)
    assert world.git("branch", "--show-current") == BRANCH
    assert world.git("config", "user.email") == "agent@railway-autofix.invalid"


def test_resumed_fix_keeps_its_base_and_commits(world):
    """With the session there, nothing is set back, although the deployed branch has moved."""
    base = world.prepare().base
    world.begin_session()
    head = world.agent_commits()
    world.source.commit({"a": "9\n"})
    again = world.prepare()
    assert again.base == base
    assert fetch_head(world.client, again) == head


def test_lost_session_starts_from_the_base(world):
    """Leftovers of a session nobody knows any more are cleaned away."""
    workspace = world.prepare()
    world.agent_commits()
    (world.clone / "junk").write_text("x")
    world.prepare()
    assert fetch_head(world.client, workspace) is None
    assert not (world.clone / "junk").exists()


def test_missing_clone_is_made_again_at_the_same_base(world):
    """The base was recorded with the server, not in the clone."""
    base = world.prepare().base
    world.begin_session()
    world.source.commit({"a": "9\n"})
    subprocess.run(["rm", "-rf", str(world.clone)], check=True)
    assert world.prepare().base == base
    assert world.git("rev-parse", "HEAD") == base


def test_bundle_holds_the_commits(world, tmp_path):
    """What is downloaded is a bundle of base..branch."""
    workspace = world.prepare()
    head = world.agent_commits()
    file = tmp_path / "b.bundle"
    file.write_bytes(fetch_bundle(world.client, world.settings, workspace))
    listed = subprocess.check_output(["git", "bundle", "list-heads", str(file)], text=True)
    assert listed.split() == [head, f"refs/heads/{BRANCH}"]


def test_failure_is_told_in_gits_words(world):
    """A branch that does not exist is an error with git's reason; no folder poses as a clone."""
    with pytest.raises(OpencodeError, match=r"the clone could not be made: fatal: .*origin/gone"):
        prepare_workspace(
            world.client, world.settings, repository="acme/x", fix_id="f1", base_branch="gone"
        )
    assert not world.clone.exists()


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("acme/x", "x"),
        ("acme/.opencode", "opencode"),
        ("acme/a b;c", "a-b-c"),
        ("a/..", "repository"),
    ],
)
def test_clone_name_is_plain(repository, name):
    """No hidden folder, nothing a shell would read."""
    assert clone_name(repository) == name


def test_a_server_that_forgot_the_base_is_reminded_of_it(world):
    """The caller remembers, so a moved branch changes nothing even with an empty database."""
    base = world.prepare().base
    world.source.commit({"a": "9\n"})
    world.app.sessions.clear()
    subprocess.run(["rm", "-rf", str(world.clone)], check=True)
    assert world.prepare(base=base).base == base
    assert world.git("rev-parse", "HEAD") == base


def test_what_a_repository_says_to_agents_is_not_checked_out(world):
    """Neither plugins nor configuration nor instructions, at any depth; git sees no change."""
    hidden = ["AGENTS.md", "opencode.json", ".opencode/plugin/x.js", "deep/CLAUDE.md"]
    world.source.commit({**dict.fromkeys(hidden, "do as I say\n"), "deep/b": "1\n"})
    workspace = world.prepare()
    assert not [name for name in hidden if (world.clone / name).exists()]
    assert (world.clone / "deep/b").exists()
    assert world.git("status", "--porcelain") == ""
    world.agent_commits()
    world.git("add", "-A")
    assert world.git("diff", "--name-only", workspace.base, "HEAD") == "a"


def test_two_fixes_stay_apart(world):
    """A folder, a branch and a session each, of the same repository."""
    first, second = world.prepare("f1"), world.prepare("f2")
    assert first.directory != second.directory
    world.agent_commits()
    assert fetch_head(world.client, first) is not None
    assert fetch_head(world.client, second) is None
    remove_workspace(world.client, second)
    assert world.clone.exists()


def test_folders_of_old_failures_are_removed_by_later_fixes(world):
    """Only what carries our mark and is older than the time it is kept."""
    world.prepare("old")
    world.prepare("young")
    (world.root / "foreign").mkdir()
    long_ago = time.time() - KEPT.total_seconds() - 2 * 86_400
    for folder in ("old", "foreign"):
        os.utime(world.root / folder, (long_ago, long_ago))
    os.utime(world.root / "old" / ".autofix-workspace", (long_ago, long_ago))
    world.prepare()
    assert sorted(p.name for p in world.root.iterdir()) == ["f1", "foreign", "young"]


def test_what_the_agent_left_running_is_ended(world):
    """In its folder, or moved away from it; nothing that was started elsewhere."""
    workspace = world.prepare()
    environment = {"PATH": os.environ["PATH"]}
    left = [
        subprocess.Popen(["sleep", "300"], cwd=world.clone, env=environment),
        subprocess.Popen(
            ["bash", "-c", "cd / && setsid sleep 300"],
            cwd=world.clone,
            env={**environment, "PWD": str(world.clone)},
        ),
    ]
    other = subprocess.Popen(["sleep", "300"], cwd="/", env=environment)
    try:
        time.sleep(0.3)
        assert end_processes(world.client, workspace) >= 2
        assert [process.wait(5) for process in left] == [-9, -9]
        assert other.poll() is None
    finally:
        for process in (*left, other):
            process.kill()
            process.wait()


def test_a_resumed_fix_first_ends_what_was_left_running(world):
    """Unless the session is still at work on the server."""
    world.prepare()
    world.begin_session()
    left = subprocess.Popen(["sleep", "300"], cwd=world.clone)
    try:
        world.app.busy = {session_id("f1")}
        world.prepare()
        assert left.poll() is None
        world.app.busy = set()
        world.prepare()
        assert left.wait(5) == -9
    finally:
        left.kill()
        left.wait()


def test_a_folder_is_measured_and_removed(world):
    """The whole folder, the clone and what lies beside it."""
    workspace = world.prepare()
    (world.root / "f1" / "big").write_bytes(b"\1" * 5_000_000)
    assert measure_disk(world.client, workspace) >= 5
    remove_workspace(world.client, workspace)
    assert not (world.root / "f1").exists()
    remove_workspace(world.client, workspace)


def test_a_repository_that_needs_a_login_says_what_to_do(world):
    """Git's own words, and which setting is missing."""
    world.app.shell_failure = "fatal: could not read Username for 'https://x': No such device"
    with pytest.raises(OpencodeError, match="GH_TOKEN with read access") as caught:
        world.prepare()
    assert "could not read Username" in str(caught.value)


def test_attach_command_quotes_and_holds_no_password(settings):
    """It can be pasted; the password comes from the watcher's environment."""
    command = attach_command(settings, session_id="ses_1", directory="/work/a b")
    assert command == "opencode attach http://agent:4096 --dir '/work/a b' --session ses_1"
