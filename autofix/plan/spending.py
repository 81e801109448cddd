"""What plans cost, and the caps they stay within. Caps are checked before a call, at its worst."""

from __future__ import annotations

from dataclasses import dataclass

from autofix.errors import BudgetExceeded
from autofix.models import Model
from autofix.parameters import Caps

_MILLION = 1_000_000


class Spent(Model):
    """Tokens of model calls, and dollars as far as prices are known."""

    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(tokens=self.tokens + other.tokens, cost=self.cost + other.cost)

    def __sub__(self, other: Spent) -> Spent:
        """Without the other."""
        return Spent(tokens=self.tokens - other.tokens, cost=self.cost - other.cost)


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens; None where nobody set them."""

    input: float | None = None
    output: float | None = None

    @property
    def are_known(self) -> bool:
        """Whether money can be counted."""
        return self.input is not None and self.output is not None

    def of(self, input_tokens: int, output_tokens: int) -> float | None:
        """What so many tokens cost; None without prices."""
        if self.input is None or self.output is None:
            return None
        return (input_tokens * self.input + output_tokens * self.output) / _MILLION

    def spent(self, input_tokens: int, output_tokens: int) -> Spent:
        """The same as what is added up."""
        return Spent(
            tokens=input_tokens + output_tokens, cost=self.of(input_tokens, output_tokens) or 0.0
        )


def require_plan(before: Spent, worst: Spent, caps: Caps) -> None:
    """BudgetExceeded when the next call for a plan could break the plan's caps."""
    after = before + worst
    if after.tokens > caps.plan_tokens:
        _exceed("plan_tokens", f"{after.tokens:,} tokens for one plan", f"{caps.plan_tokens:,}")
    if after.cost > caps.plan_cost:
        _exceed("plan_cost", f"${after.cost:.2f} for one plan", f"${caps.plan_cost:.2f}")


def require_day(today: Spent, caps: Caps) -> None:
    """BudgetExceeded when the last 24 hours, the next call included, break the day's caps."""
    if today.tokens > caps.plan_tokens_per_day:
        shown = f"{today.tokens:,} tokens for plans in 24 hours"
        _exceed("plan_tokens_per_day", shown, f"{caps.plan_tokens_per_day:,}")
    if today.cost > caps.plan_cost_per_day:
        shown = f"${today.cost:.2f} for plans in 24 hours"
        _exceed("plan_cost_per_day", shown, f"${caps.plan_cost_per_day:.2f}")


def _exceed(cap: str, shown: str, limit: str) -> None:
    raise BudgetExceeded(cap, f"the next call could make it {shown}, of {limit}; raise caps.{cap}")
