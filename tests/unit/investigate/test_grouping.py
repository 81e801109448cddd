from __future__ import annotations

from typing import Any

from autofix.investigate.grouping import HANDED_ON, group_by_repository
from autofix.models import Verdict, VerdictKind


def test_services_of_one_repository_share_one_group_with_unique_evidence_ids(
    make_context: Any, make_service: Any
) -> None:
    """Two services of a monorepo are one fix; their evidence is numbered through."""
    api = make_context("api", service=make_service("api", repository="acme/mono"))
    web = make_context("web", service=make_service("web", repository="acme/mono"))
    other = make_context("billing-api")
    groups = group_by_repository([web, other, api])
    assert {name: len(group) for name, group in groups.items()} == {
        "acme/billing-api": 1,
        "acme/mono": 2,
    }
    ids = [item.id for context in groups["acme/mono"] for item in context.evidence]
    assert ids == ["E1", "E2", "E3", "E4"]
    assert [c.verdict.evidence for c in groups["acme/mono"]] == [("E1",), ("E3",)]


def test_only_code_fixes_with_a_repository_are_grouped(
    make_context: Any, make_service: Any
) -> None:
    """No action, and a service deployed from an image, start nothing."""
    quiet = make_context("a", verdict=Verdict(kind=VerdictKind.no_action, reason="use is high"))
    image = make_context("b", service=make_service("b", repository=None))
    assert group_by_repository([quiet, image]) == {}


def test_however_many_services_a_repository_has_their_contexts_can_be_handed_on(
    make_context: Any, make_service: Any
) -> None:
    """Items are shortened alike; each keeps its beginning."""
    big = [
        make_context(f"svc-{n}", items=12, service=make_service(f"svc-{n}", repository="acme/mono"))
        for n in range(60)
    ]
    text = "decisive\n" + "\n".join(f"line {n} of many words in a log" for n in range(120))
    big = [
        c.model_copy(
            update={"evidence": tuple(i.model_copy(update={"text": text}) for i in c.evidence)}
        )
        for c in big
    ]
    (group,) = group_by_repository(big).values()
    assert len(group) == 60
    assert sum(len(c.model_dump_json().encode()) for c in group) <= HANDED_ON
    assert all(i.text.startswith("decisive\n") for c in group for i in c.evidence)
