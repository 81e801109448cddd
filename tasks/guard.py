"""Nothing leaves for Prefect's logs and states but through the door either.

Prefect writes the message of an exception into the state of its run and the traceback into its
log. Both are read by people and kept, so both are redacted: the exception where it leaves a task,
every log record where it is made. An error that says by itself what to do is logged as that one line.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from autofix.errors import AutofixError, ConfigError
from autofix.redact import redact, redactor
from autofix.settings import load_settings

P = ParamSpec("P")
R = TypeVar("R")
_MARK = "__guarded__"


def door(text: str) -> str:
    """The text without the live secrets and without what looks like one; never an error."""
    return open_door()(text)


def open_door() -> Callable[[str], str]:
    """The door for several texts: the settings are read here, once."""
    try:
        return redactor(load_settings())
    except ConfigError:  # told where settings are needed; here the patterns have to do
        return redact


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose exceptions say nothing that the door takes out."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            clean = redact_error(error)
            if clean is error:
                raise
            raise clean from None

    setattr(run, _MARK, True)
    return run


def is_guarded(function: Callable[..., Any]) -> bool:
    """Whether exceptions of this function pass the door."""
    return hasattr(function, _MARK)


def redact_error(error: Exception) -> Exception:
    """The same exception with its texts redacted; another one where its text cannot be changed.

    That other one counts as one that nobody foresaw, so it is tried again as the first would be.
    """
    take_out = open_door()
    for each in _chain(error):
        each.args = tuple(take_out(arg) if isinstance(arg, str) else arg for arg in each.args)
        if notes := getattr(each, "__notes__", None):
            each.__notes__ = [take_out(str(note)) for note in notes]
    text = str(error)
    clean = take_out(text)
    return error if clean == text else RuntimeError(f"{type(error).__name__}: {clean}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def guard_logs() -> None:
    """Let every log record of this process pass the door; a second call changes nothing."""
    make = logging.getLogRecordFactory()
    if hasattr(make, _MARK):
        return

    def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _redact_record(make(*args, **kwargs))

    setattr(make_redacted, _MARK, True)
    logging.setLogRecordFactory(make_redacted)


def says_more_than_prefects_advice(record: logging.LogRecord) -> bool:
    """False for the advice on deadlines of mapped tasks, which every such run would begin with.

    That a deadline waits for the call that blocks is known: every such call has its own timeout.
    """
    return "is running in a worker thread" not in str(record.msg)


def _redact_record(record: logging.LogRecord) -> logging.LogRecord:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # the handler complains about it in its own way
        return record
    take_out = open_door()
    clean = take_out(message)
    if clean != message:
        record.msg, record.args = clean, ()
    if record.exc_info and isinstance(error := record.exc_info[1], AutofixError):
        text = take_out(str(error))
        if text not in clean:
            record.msg, record.args = f"{clean}: {text}", ()
        record.exc_info = None
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = take_out("".join(traceback.format_exception(*record.exc_info))).rstrip(
            "\n"
        )
        record.exc_info = None
    if record.stack_info:
        record.stack_info = take_out(record.stack_info)
    return record
