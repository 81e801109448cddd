from autofix.change.opencode_wire import Message
from autofix.change.transcript import CAP, render_transcript
from tests.unit.change.opencode_app import assistant, bash, user


def _messages(*raw):
    return [Message.model_validate(message) for message in raw]


def test_a_session_is_told_in_order():
    """What was asked, what was called with which end, what was said; nothing in it is live."""
    words = {"type": "text", "text": "Done. ```\n@team <b>"}
    text = render_transcript(
        _messages(user("m1"), assistant("m1", parts=[bash("make | tee x", 2), words]))
    )
    assert text.index("We asked") < text.index("make | tee x") < text.index("Done.")
    assert "exit status 2" in text
    assert "````text" in text


def test_a_long_session_keeps_its_beginning_and_its_end():
    """Bounded; what is left out is counted."""
    said = [{"type": "text", "text": f"number {n} " + "x" * 1_000} for n in range(200)]
    text = render_transcript(_messages(user("m1"), assistant("m1", parts=said)))
    assert len(text) <= CAP
    assert "number 0 " in text
    assert "number 199 " in text
    assert "parts are left out here" in text


def test_an_error_is_told():
    """Why the model gave no answer."""
    error = {"name": "APIError", "data": {"message": "Invalid key", "statusCode": 401}}
    text = render_transcript(_messages(user("m1"), assistant("m1", error=error, parts=[])))
    assert "**Error:** APIError: Invalid key" in text
