"""The image cannot be built here, so its own lines are run one by one in a clean folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from autofix.change.gate.dockerfile import Instruction, read_instructions
from autofix.change.opencode import OpencodeClient
from tests.support.opencode_server import PASSWORD, ROOT, OpencodeServer, make_settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FOLDER = ROOT / "opencode"


def _instructions(name: str) -> list[Instruction]:
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    return [i for i in read_instructions(lines) if i.name == name]


def _environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    npm = {
        "NPM_CONFIG_CACHE": str(ROOT / ".cache" / "npm"),
        "NPM_CONFIG_PREFER_OFFLINE": "true",
        "NPM_CONFIG_USERCONFIG": str(Path.home() / ".npmrc"),
    }
    return {**kept, **npm, "HOME": str(home), **more}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image would hold: the installed binary, the start script and its files."""
    root = tmp_path_factory.mktemp("image")
    install, agent, home = root / "install", root / "opt/agent", root / "home"
    for folder in (install, agent, home):
        folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, install)
    npm = next(i.rest for i in _instructions("RUN") if i.rest.startswith("npm "))
    subprocess.run(["sh", "-ec", npm], cwd=install, env=_environment(home), check=True)
    for _, rest in _instructions("COPY"):
        words = [word for word in rest.split() if not word.startswith("--")]
        if "--from=install" in rest:
            shutil.copy(root / words[0].lstrip("/"), root / "opencode")
        elif words[-1].startswith("/opt/agent"):
            source, target = FOLDER / words[0], root / words[-1].lstrip("/")
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    (root / "opencode").chmod(0o755)
    (agent / "serve.sh").chmod(0o755)
    return root


def test_the_pinned_version_is_installed(image: Path) -> None:
    """The one of package.json, whole in one file."""
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]["opencode-ai"]
    out = subprocess.check_output(
        [str(image / "opencode"), "--version"], env=_environment(image / "home"), text=True
    )
    assert out.strip() == wanted
    assert f"({wanted})" in (FOLDER / "README.md").read_text(), "the README names another version"


@pytest.mark.parametrize(
    "missing", ["OPENCODE_SERVER_PASSWORD", "OPENAI_API_KEY", "AUTOFIX_AGENT_MODEL"]
)
def test_it_refuses_to_start_without(image: Path, missing: str) -> None:
    """One line that names the setting, and nothing runs."""
    settings = {
        "OPENCODE_SERVER_PASSWORD": "x", "OPENAI_API_KEY": "x", "AUTOFIX_AGENT_MODEL": "a/b",
    }  # fmt: skip
    del settings[missing]
    done = subprocess.run(
        [str(image / "opt/agent/serve.sh")], env=_environment(image / "home", **settings),
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert done.returncode == 2
    assert missing in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_starts_and_its_own_health_check_says_so(image: Path) -> None:
    """Below an init, on all addresses; the check fails with another password."""
    init = shutil.which("tini") or ""
    server = OpencodeServer(
        image / "home", "http://127.0.0.1:9/v1", OPENCODE_BIN=str(image / "opencode"),
        OPENCODE_HOST="0.0.0.0", OPENCODE_INIT=init,  # noqa: S104 - as in the image
    )  # fmt: skip
    server.script = image / "opt/agent/serve.sh"
    (check,) = _instructions("HEALTHCHECK")
    command = json.loads(check.rest.partition("CMD ")[2])
    server.start()
    try:
        with OpencodeClient(make_settings(server)) as client:
            client.wait_until_healthy()
        for password, status in ((PASSWORD, 0), ("another", 22)):
            environment = _environment(
                image / "home", OPENCODE_SERVER_PASSWORD=password, OPENCODE_PORT=str(server.port)
            )
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            assert done.returncode == status
    finally:
        server.kill()


def test_git_gets_a_token_only_when_there_is_one(image: Path, tmp_path: Path) -> None:
    """The credential helper of the image answers with GH_TOKEN, for GitHub alone."""
    configure = next(i.rest for i in _instructions("RUN") if i.rest.startswith("git config"))
    system = tmp_path / "gitconfig"
    environment = _environment(tmp_path, GIT_CONFIG_SYSTEM=str(system), GIT_TERMINAL_PROMPT="0")
    subprocess.run(["sh", "-ec", configure], env=environment, check=True)

    def fill(host: str, **more: str) -> str:
        done = subprocess.run(
            ["git", "credential", "fill"], input=f"protocol=https\nhost={host}\n\n", text=True,
            env={**environment, "GIT_ASKPASS": "true", **more}, capture_output=True, check=False,
        )  # fmt: skip
        return done.stdout

    assert "password=read-only" in fill("github.com", GH_TOKEN="read-only")
    assert "read-only" not in fill("elsewhere.example", GH_TOKEN="read-only")
    assert "x-access-token" not in fill("github.com")


def test_no_secret_is_baked_in_and_nobody_is_root() -> None:
    """Only names of settings stand in it; its last user is a number without rights."""
    text = (FOLDER / "Dockerfile").read_text()
    variables = [word.partition("=")[0] for i in _instructions("ENV") for word in i.rest.split()]
    assert not [name for name in variables if re.search(r"(?i)pass|key|token|secret", name)]
    assert [i.rest for i in _instructions("USER")] == ["10001"]
    assert "\nVOLUME" not in text, "Railway refuses it"
    assert all(re.search(r":\d+\.\d+\.\d+-", i.rest) for i in _instructions("FROM"))
