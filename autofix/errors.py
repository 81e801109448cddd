"""Everything that can go wrong, as one tree.

AutofixError
├── ConfigError            a setting or parameter is missing or wrong; the message says what to do
├── RemoteError            another side did not do its part
│   ├── RailwayError
│   ├── OpencodeError
│   ├── GithubError
│   └── ModelError
├── GitError               the git binary refused
├── BudgetExceeded         a cap was reached; `cap` is its name
└── PolicyViolation        a plan or a change may not go on
"""

from __future__ import annotations


class AutofixError(Exception):
    """Root of all errors that a person may see as one line."""


class ConfigError(AutofixError):
    """A setting or parameter is missing or wrong."""


class RemoteError(AutofixError):
    """Another side failed.

    Attributes:
        retryable: whether the same request may succeed later.
        retry_after: seconds the other side asked us to wait, if it did.
    """

    service = "remote"

    def __init__(
        self, message: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        """Keep the message, and whether and when to try again."""
        super().__init__(f"{self.service}: {message}")
        self.retryable = retryable
        self.retry_after = retry_after


class RailwayError(RemoteError):
    """Railway's API."""

    service = "Railway"


class OpencodeError(RemoteError):
    """The OpenCode server."""

    service = "OpenCode"


class GithubError(RemoteError):
    """GitHub's REST API."""

    service = "GitHub"


class ModelError(RemoteError):
    """The planner's model."""

    service = "model"


class GitError(AutofixError):
    """The git binary refused."""


class BudgetExceeded(AutofixError):
    """A cap was reached."""

    def __init__(self, cap: str, message: str) -> None:
        """Keep the cap's name beside the message."""
        super().__init__(f"{cap}: {message}")
        self.cap = cap


class PolicyViolation(AutofixError):
    """A plan or a change may not go on."""
