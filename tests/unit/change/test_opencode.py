import subprocess

import httpx
import pytest

from autofix.change.opencode import OpencodeClient, _shell_line
from autofix.errors import ConfigError, OpencodeError
from autofix.settings import Settings
from tests.unit.change.opencode_app import OpencodeApp


@pytest.fixture
def app():
    return OpencodeApp()


@pytest.fixture
def client(settings, app):
    with OpencodeClient(settings, app) as client:
        yield client


def _client(settings, answer):
    return OpencodeClient(settings, httpx.MockTransport(answer))


def test_password_is_required():
    """Without a password the setting is named."""
    with pytest.raises(ConfigError, match="OPENCODE_SERVER_PASSWORD is not set"):
        OpencodeClient(Settings(_env_file=None, opencode_url="http://agent:4096"))


def test_health_waits_for_a_starting_server(client, app):
    """Refused connections are tried again; the version is returned."""
    app.down = 2
    assert client.wait_until_healthy() == "1.18.33"


def test_hung_probe_is_short_and_repeated(settings):
    """A probe that is never answered has a short limit and does not end the wait."""
    limits = []

    def answer(request):
        limits.append(request.extensions["timeout"]["read"])
        if len(limits) == 1:
            raise httpx.ReadTimeout("hung", request=request)
        return httpx.Response(200, json={"healthy": True, "version": "1"})

    with _client(settings, answer) as client:
        client.wait_until_healthy()
    assert limits == [2.0, 2.0]


def test_session_is_made_once_and_described_every_time(client, app):
    """The same id in the same directory is the same session; another directory is an error."""
    for title in ("one", "two"):
        session = client.ensure_session("ses_1", "/work/f", title=title, metadata={"fix": "f"})
    assert (session.title, session.metadata) == ("two", {"fix": "f"})
    with pytest.raises(OpencodeError, match="another directory"):
        client.ensure_session("ses_1", "/work/g", title="t", metadata={})


def test_prompt_carries_our_ids_and_the_agent(client, app):
    """Message and part ids are ours, so posting again changes nothing."""
    client.post_prompt("ses_1", "/work/f", message_id="msg_1", part_id="prt_1", text="go")
    assert app.writes == [
        (
            "POST /session/ses_1/prompt_async",
            {
                "messageID": "msg_1",
                "agent": "fixer",
                "parts": [{"id": "prt_1", "type": "text", "text": "go"}],
            },
        )
    ]


def test_write_is_not_repeated_when_its_answer_is_lost(client, app):
    """A prompt whose fate is unknown is left to who reads the messages."""
    app.down = 1
    with pytest.raises(OpencodeError) as caught:
        client.post_prompt("ses_1", "/work/f", message_id="msg_1", part_id="prt_1", text="go")
    assert caught.value.retryable
    assert app.writes == []


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, None, "OPENCODE_SERVER_PASSWORD is not the server's"),
        (500, {"name": "UnknownError", "data": {"message": "ref err_1"}}, "500: UnknownError: ref"),
        (200, {"not": "a list"}, "unexpected answer"),
        (200, [{"info": {"id": "x"}}], "unexpected answer at '0.info.role'"),
    ],
)
def test_bad_answers_are_one_clear_error(settings, status, body, message):
    """Neither a status nor a 200 with another shape passes."""
    with (
        _client(settings, lambda _: httpx.Response(status, json=body)) as client,
        pytest.raises(OpencodeError, match=message),
    ):
        client.fetch_messages("ses_1", "/work/f")


def test_shell_reports_output_and_exit_status(client, app):
    """The status is read from the last line alone, which must be there."""
    app.shell_output = "autofix-exit:0\nfatal: no\n\nautofix-exit:128\n"
    result = client.shell("ses_1", "/work", "git x")
    assert (result.exit_status, result.output) == (128, "autofix-exit:0\nfatal: no\n")
    app.shell_output = "killed"
    with pytest.raises(OpencodeError, match="without its exit status"):
        client.shell("ses_1", "/work", "git x")


def test_shell_line_survives_double_evaluation():
    """Quotes, variables and line ends arrive as written, though the server evaluates twice."""
    line = _shell_line("a='x  y'\necho \"$a\" '$a'; cat; exit 7")
    assert not set(line) & set("\"'$\\\n`")
    out = subprocess.run(["bash", "-c", f'eval "{line}"'], capture_output=True, check=True)
    assert out.stdout == b"x  y $a\n\nautofix-exit:7\n"


def test_file_arrives_byte_for_byte(client, app):
    """Binary content is decoded to the same bytes."""
    app.files["f/x.bundle"] = bytes(range(256))
    assert client.fetch_file("/work", "f/x.bundle") == bytes(range(256))


def test_rejected_permission_says_why_and_may_be_gone(settings):
    """A rejection without a message would end the turn; one that is gone is no error."""
    seen = []

    def answer(request):
        seen.append(request.content)
        return httpx.Response(404, json={"_tag": "PermissionNotFoundError"})

    with _client(settings, answer) as client:
        client.reject_permission("per_1", "/work/f", "not here")
    assert b'"message":"not here"' in seen[0]
