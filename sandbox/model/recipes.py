"""What the rehearsal model knows: faults as data, each with the signs that must be in evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.model.repairs import (
    Repair,
    Source,
    bound_growing_list,
    default_missing_key,
    join_queries,
)


@dataclass(frozen=True)
class Sign:
    """Something one evidence item must show: every pattern is in its text.

    Named groups of the patterns become facts of the plan.
    """

    patterns: tuple[str, ...]

    def find(self, text: str) -> dict[str, str]:
        """The facts in a text that shows this sign, with what matched; empty when it does not."""
        facts: dict[str, str] = {}
        for pattern in self.patterns:
            match = re.search(pattern, text, re.IGNORECASE)
            if match is None:
                return {}
            facts |= {"matched": match[0], **{k: v for k, v in match.groupdict().items() if v}}
        return facts


@dataclass(frozen=True)
class Recipe:
    """One fault: how it shows, why it happens, how it is repaired.

    Texts may name facts in braces; only those that the signs always bring.
    """

    shape: str
    """What to look for in code, in words."""
    signs: tuple[Sign, ...]
    named: str
    """How a plan names this cause."""
    search: str
    """Finds candidate files; an extended regular expression for grep."""
    repair: Callable[[Source, str], Repair | None]
    title: str
    cause: str
    confidence: float
    steps: tuple[tuple[str, str], ...]
    debugging: tuple[str, ...]
    recommendations: tuple[str, ...]
    verification: tuple[str, ...]
    risks: tuple[str, ...]
    keep: tuple[str, ...]
    """What the fix must leave as it is."""
    leads: tuple[Sign, ...] = ()
    """What may be there beside the signs, and then names the place."""

    def describe(self, facts: dict[str, str]) -> str:
        """The cause in words."""
        return self.cause.format_map(facts)

    def is_named_in(self, text: str) -> bool:
        """Whether a plan names this cause."""
        return re.search(self.named, text, re.IGNORECASE) is not None


GROWING_LIST = Recipe(
    shape="a module-level list that is only ever appended to",
    signs=(
        Sign(
            (
                r"memory limit exceeded|out of memory|oom.?killed|memory[^\n]{0,120}\b(?:limit|of \d)",
            )
        ),
        Sign((r"\b(?P<count>retained|held|kept|cached)\b[^\n]{0,40}\bMB\b",)),
    ),
    named=r"keeps? every|grows? with every request|never (?:released|bounded)|unbounded",
    search=r"^[A-Za-z_]\w*.*= *(\[\]|list\(\))|\.append\(",
    repair=bound_growing_list,
    title="Bound what is kept in memory between requests",
    cause=(
        "The process keeps every rendered result in memory and never lets one go: its own log "
        "counts what is {count} upwards while memory rises to its limit, at which the platform "
        "ends it. The collection is unbounded, and work over it slows each request as it grows."
    ),
    confidence=0.85,
    steps=(
        ("Run the tests as they are", "Note whether they pass before any change."),
        (
            "Find the collection that is only appended to",
            (
                "A module-level list on the request path that nothing removes from; the log line "
                "that reports what is {count} leads to it."
            ),
        ),
        ("Bound it", "A collection with a fixed maximum length that drops the oldest entry."),
        ("Add a regression test", "Add more entries than the maximum; no more than it may stay."),
        ("Run the tests again and commit", "All green, one commit on the current branch."),
    ),
    debugging=(
        (
            "Send a few hundred requests to the hot path at the production rate and watch the resident "
            "memory: it rises with each request and never falls."
        ),
    ),
    recommendations=("Alert on the memory trend and not only on its level.",),
    verification=(
        "Memory stays level under the same traffic for a full window, far below its limit.",
        "No restarts; the 5xx rate and p95 latency are back at their baseline.",
    ),
    risks=("Entries older than the newest ones are no longer available to the page.",),
    keep=("What the pages show, and in which order.",),
    leads=(
        Sign(
            (
                (
                    r"(?P<file>[\w./-]+\.py), lines [^\n]*[:;] (?P<collection>\w+) is kept for the whole "
                    r"process[^\n]*only added to"
                ),
            )
        ),
    ),
)

QUERY_PER_ROW = Recipe(
    shape="a query inside a loop over the rows of another",
    signs=(
        Sign((r"\bqueries[=: ]+(?P<queries>\d{2,}|[<\[{*N#][^\s]*)",)),
        Sign((r"\bdb_ms[=: ]+(?:\d{4,}|[<\[{*N#])|timed? ?out|p95[^\n]{0,40}\d{4,}",)),
    ),
    named=r"quer(?:y|ies) (?:per|for each|for every) row|N\+1",
    search=r"for .* in |query\(|execute\(",
    repair=join_queries,
    title="Read a page's rows with one query",
    cause=(
        "A page makes one query for its list and then a query for every row of it (N+1): its log "
        "counts {queries} queries for one page, and nearly all of its time is spent waiting for "
        "the database. The service's own CPU and memory stay calm while the database saturates."
    ),
    confidence=0.85,
    steps=(
        ("Run the tests as they are", "Note whether they pass before any change."),
        (
            "Find the query inside a loop over rows",
            "The handler of the slow page; its log line counts the queries.",
        ),
        ("Read everything with one query", "Join the tables, and group the rows in memory."),
        ("Add a regression test", "The page makes the same number of queries for any customer."),
        ("Run the tests again and commit", "All green, one commit on the current branch."),
    ),
    debugging=(
        (
            "Request the page at the production rate and count the queries of each page; the latency "
            "follows the number of rows."
        ),
    ),
    recommendations=("Index the columns that the join compares.",),
    verification=(
        "The page's log shows a constant, small number of queries.",
        "p95 latency of the page is back below a second under the same traffic.",
        "The database's CPU falls.",
    ),
    risks=("The joined rows of a page are held in memory at once.",),
    keep=("What the page shows, and the order of its rows.",),
    leads=(
        Sign(
            (
                (
                    r"(?P<file>[\w./-]+\.py), lines [^\n]*: (?P<function>\w+): [^\n]*makes a query "
                    r"[^\n]*in a loop"
                ),
            )
        ),
    ),
)

MISSING_KEY = Recipe(
    shape="a lookup in a mapping in which some records are missing",
    signs=(
        Sign(
            (
                (
                    r"File \"(?:[^\"\n]*/)?(?P<file>[^\"/\n]+\.py)\", line (?P<line>\d+), "
                    r"in (?P<function>\w+)(?:\n(?![^\n]*File \")[^\n]*){0,6}?\n[^\n]*"
                    r"\b(?P<error>KeyError: *[^\s]+|TypeError: 'NoneType'[^\n]*)"
                ),
            )
        ),
    ),
    named=r"unhandled (?:KeyError|TypeError)",
    search=r"\]\[\"",
    repair=default_missing_key,
    title="Handle records that are missing on a request",
    cause=(
        "A request fails with an unhandled {error} in {function} ({file}, line {line}): the code "
        "takes for granted that a record exists which some customers do not have."
    ),
    confidence=0.9,
    steps=(
        ("Run the tests as they are", "Note whether they pass before any change."),
        ("Find the failing line", "{file}, function {function}, line {line} of the traceback."),
        ("Handle the missing record", "Use the neutral value when there is no record."),
        ("Add a regression test", "A request for a customer without the record succeeds."),
        ("Run the tests again and commit", "All green, one commit on the current branch."),
    ),
    debugging=("Request the failing route for each customer; only those without a record fail.",),
    recommendations=("Check for other records that only most customers have.",),
    verification=("The 5xx rate of the route falls to zero under the same traffic.",),
    risks=("A record that is missing by mistake no longer shows as an error.",),
    keep=("What is answered where the record exists.",),
)

RECIPES: tuple[Recipe, ...] = (GROWING_LIST, QUERY_PER_ROW, MISSING_KEY)
