"""Which tests run one after the other, and which beside each other."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

STREAMS: dict[str, tuple[str, ...]] = {
    # one of Prefect's test servers, and its runs, for all of a stream
    "fixes": ("tests/e2e/test_answer", "tests/e2e/test_generate_fix"),
    "flows": ("tests/flows/",),
    "agent": ("tests/e2e/test_agent", "tests/e2e/test_attach"),
    "sessions": ("tests/e2e/test_session",),
    "processes": ("tests/e2e/", "tests/sandbox/test_main", "tests/sandbox/test_model_opencode"),
}
"""Tests that mostly wait for processes, by the beginning of their path; the first that fits counts.
More streams than these at once are too much for two cores."""


def find_stream(nodeid: str) -> str:
    """The stream of a test; for most its file, since fixtures are shared within it."""
    for stream, beginnings in STREAMS.items():
        if nodeid.startswith(beginnings):
            return stream
    return nodeid.partition("::")[0]


class StreamScheduling(LoadScopeScheduling):
    """A stream is given to one process as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        return find_stream(nodeid)
