"""The rehearsal model as planner: evidence in the prompt to a plan, or "I do not know"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.model.evidence import Report, parse_reports
from sandbox.model.recipes import RECIPES, Recipe
from sandbox.model.wire import ChatRequest, Reply, ToolCall

TOOL = "FixPlan"
LABEL = "rehearsal model (scripted)"
_MISSING = (
    "None of the faults this scripted rehearsal knows is shown by the evidence. It would need, for "
    "the time of the trouble, a traceback with file and line, or a log line with the number of "
    "queries a page makes beside its latency, or memory that rises to its limit together with a "
    "count of what is kept."
)


@dataclass(frozen=True)
class Match:
    """A service whose evidence shows a known fault."""

    service: str
    recipe: Recipe
    evidence: tuple[str, ...]
    facts: dict[str, str]


def answer_planner(request: ChatRequest) -> Reply:
    """A call of the plan's tool for the newest user message."""
    last = request.last_user()
    prompt = request.messages[last].text if last >= 0 else ""
    return Reply(call=ToolCall(TOOL, build_plan(parse_reports(prompt))))


def find_matches(reports: list[Report]) -> list[Match]:
    """For each service the first recipe all of whose signs are in its evidence items."""
    matches = (_match(report) for report in reports)
    return [match for match in matches if match]


def _match(report: Report) -> Match | None:
    texts = {item.id: item.text for item in report.items}
    for recipe in RECIPES:
        cited: list[str] = []
        facts: dict[str, str] = {}
        for sign in recipe.signs:
            hits = {key: found for key, text in texts.items() if (found := sign.find(text))}
            if not hits:
                break
            cited += [key for key in hits if key not in cited]
            for hit in hits.values():
                facts |= {k: v for k, v in hit.items() if k not in facts}
        else:
            for lead in recipe.leads:
                led = {key: found for key, text in texts.items() if (found := lead.find(text))}
                cited += [key for key in led if key not in cited]
                for hit in led.values():
                    facts |= {k: v for k, v in hit.items() if k not in facts}
            ordered = tuple(key for key in texts if key in cited)
            return Match(report.service, recipe, ordered, facts)
    return None


def build_plan(reports: list[Report]) -> dict[str, Any]:
    """The arguments of the plan's tool."""
    matches = find_matches(reports)
    if not matches:
        return _ignorance(reports)
    names = [match.service for match in matches]
    unknown = [report.service for report in reports if report.service not in names]
    first = matches[0]
    title = first.recipe.title if len(matches) == 1 else f"Repair {', '.join(names)}"
    causes = " ".join(f"{m.service}: {m.recipe.describe(m.facts)}" for m in matches)
    return {
        "answer": "fix",
        "title": title[:69],
        "summary": f"By the {LABEL}. {causes}",
        "affected_services": names,
        "root_causes": [_root_cause(match) for match in matches],
        "steps": [step for match in matches for step in _steps(match, many=len(matches) > 1)],
        "files": sorted({match.facts["file"] for match in matches if "file" in match.facts}),
        "debugging": _gather(matches, "debugging"),
        "recommendations": [
            *_gather(matches, "recommendations"),
            *(f"{name}: its evidence shows no cause that is known here." for name in unknown),
        ],
        "verification": _gather(matches, "verification"),
        "risks": _gather(matches, "risks"),
        "do_not_touch": _gather(matches, "keep"),
        "missing": "",
    }


def _ignorance(reports: list[Report]) -> dict[str, Any]:
    return {
        "answer": "insufficient_evidence",
        "title": "No known cause in the evidence",
        "summary": f"By the {LABEL}: I do not know what causes this.",
        "affected_services": [report.service for report in reports],
        "root_causes": [],
        "steps": [],
        "missing": _MISSING,
    }


def _root_cause(match: Match) -> dict[str, Any]:
    return {
        "service": match.service,
        "cause": match.recipe.describe(match.facts),
        "evidence": list(match.evidence),
        "file": match.facts.get("file"),
        "function": match.facts.get("function"),
        "confidence": match.recipe.confidence,
    }


def _steps(match: Match, *, many: bool) -> list[dict[str, str]]:
    prefix = f"{match.service}: " if many else ""
    filled = [(t.format_map(match.facts), d.format_map(match.facts)) for t, d in match.recipe.steps]
    return [{"title": prefix + title, "detail": detail} for title, detail in filled]


def _gather(matches: list[Match], name: str) -> list[str]:
    lines = [
        line.format_map(match.facts) for match in matches for line in getattr(match.recipe, name)
    ]
    return list(dict.fromkeys(lines))
