import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from autofix.change.git import protocol_of, run_git, token_config
from autofix.errors import GitError


def test_hooks_and_foreign_configuration_do_not_run(repository, tmp_path, monkeypatch):
    """Neither a repository's hooks nor the machine's configuration take part."""
    repository.commit({"a": "1"})
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "global").write_text("[user]\n\tname = Somebody\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    identity = {"user.name": "A", "user.email": "a@example.test"}
    run_git("commit", "--allow-empty", "-m", "x", cwd=repository.path, config=identity)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(GitError):
        run_git("config", "--global", "user.name", cwd=repository.path)


def test_protocols_are_refused_unless_named(repository, tmp_path):
    """A local path cannot be cloned without saying so, other protocols not at all."""
    repository.commit({"a": "1"})
    clone = ["clone", "-q", str(repository.path), str(tmp_path / "copy")]
    with pytest.raises(GitError, match="'file' not allowed"):
        run_git(*clone, cwd=tmp_path)
    run_git(*clone, cwd=tmp_path, protocols=("file",))
    with pytest.raises(GitError, match="is not a protocol"):
        protocol_of("ext::sh -c true://x")


def test_token_stays_out_of_arguments_and_messages(tmp_path):
    """A token is configuration for one address; a failure does not repeat it."""
    token = SecretStr("ghp_very-secret")
    config = token_config("https://forge.test", token)
    assert list(config) == ["http.https://forge.test/.extraHeader"]
    assert token_config("file:///srv", token) == {}
    url = "http://127.0.0.1:9/a/b.git"
    with pytest.raises(GitError) as caught:
        run_git("ls-remote", url, cwd=tmp_path, config=token_config(url, token),
                protocols=("http",))  # fmt: skip
    assert "ghp_" not in str(caught.value)


def test_slow_command_is_killed_with_its_children(tmp_path: Path):
    """A time limit ends git and what it started."""
    with pytest.raises(GitError, match="took longer than"):
        run_git("slow", cwd=tmp_path, config={"alias.slow": "!sleep 30"}, timeout=0.3)
