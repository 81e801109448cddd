"""What the agent can read of its server's environment, read out by its own shell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autofix.models import SessionEnd
from tests.e2e.line import serve_line, shell
from tests.support.opencode_server import BINARY, PASSWORD

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(90),
    pytest.mark.skipif(not BINARY.exists(), reason="OpenCode is installed by make setup"),
]

_TELLING = re.compile(r"(?i)pass|secret|token|key|auth|credential|dsn|database_url|private")
PLANTED = {
    "RAILWAY_TOKEN": "planted-railway",
    "RAILWAY_API_TOKEN": "planted-account",
    "GITHUB_TOKEN": "planted-write-token",
    "DATABASE_URL": "postgres://app:planted-database@db/app",
    "AWS_SECRET_ACCESS_KEY": "planted-cloud",
    "AUTOFIX_REDACTION_KEY": "planted-redaction",
    "SOMETHING_ELSE": "planted-and-not-telling",
}
READ_OUT = "env; echo ---; tr '\\0' '\\n' </proc/$PPID/environ"


def test_the_agents_shell_finds_three_secrets_and_no_more(tmp_path: Path) -> None:
    """The server's password, the model's key and the optional read-only token of git."""
    expected = {
        "OPENCODE_SERVER_PASSWORD": PASSWORD,
        "OPENAI_API_KEY": "not-a-key",
        "GH_TOKEN": "read-only-token",
    }
    with serve_line(
        tmp_path,
        shell(READ_OUT),
        GH_TOKEN=expected["GH_TOKEN"],
        AUTOFIX_AGENT_ENVIRONMENT="JAVA_HOME",
        JAVA_HOME="/opt/java",
        **PLANTED,
    ) as line:
        assert line.work(line.prepare()).end is SessionEnd.nothing_to_change
        printed = str(line.model.requests[-1]["messages"][-1]["content"])

    own, _, servers = printed.partition("---")
    for part in (own, servers):
        variables = dict(re.findall(r"^(\w+)=(.*)$", part, re.MULTILINE))
        assert len(variables) > 10, printed[:500]
        secret = {name: value for name, value in variables.items() if _TELLING.search(name)}
        assert secret == expected
        assert variables["JAVA_HOME"] == "/opt/java", "what was asked for by name is there"
    assert "planted" not in printed
    assert printed.count("not-a-key") == 2, "the key stands in no configuration"
