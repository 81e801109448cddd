"""Answers what the agent asks for, by rule and at once, because nobody is there who would."""

from __future__ import annotations

from autofix.change.opencode import OpencodeClient

_ANSWERS = {
    "external_directory": "Nothing outside the working directory. Go on inside the clone.",
    "doom_loop": "This is the same call again. Look at its last result and try something else.",
    "webfetch": "There is no web here. Go on with what is in the clone.",
    "websearch": "There is no web here. Go on with what is in the clone.",
    "task": "There are no helpers here. Do it yourself.",
    "question": "Nobody is there to answer. Decide by what you read.",
}
_OTHERWISE = "Not permitted here. Go on without it, inside the clone and with the tools you have."
"""For requests nobody foresaw; without words the turn would end silently."""


class RequestDesk:
    """Refuses every permission and every question of one directory, each once and with words.

    What may be done is allowed by the server's configuration and never asks, so whatever does ask
    is refused: the agent reads why, and goes on.
    """

    def __init__(self, client: OpencodeClient, directory: str) -> None:
        self._client = client
        self._directory = directory
        self._answered: set[str] = set()

    def answer(self) -> None:
        """Refuse what came in since the last call."""
        for request in self._client.fetch_permissions(self._directory):
            if request.id not in self._answered:
                words = _ANSWERS.get(request.permission, _OTHERWISE)
                self._client.reject_permission(request.id, self._directory, words)
                self._answered.add(request.id)
        for question in self._client.fetch_questions(self._directory):
            if question.id not in self._answered:
                self._client.reject_question(question.id, self._directory)
                self._answered.add(question.id)
