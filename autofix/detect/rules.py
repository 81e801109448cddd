"""What a person should know about the rules that are in force."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from autofix.parameters import Rules


def describe_rules(rules: Rules, known: Collection[str], now: datetime) -> tuple[str, ...]:
    """What is muted now, and which services are named in the rules and do not exist."""
    muted = [
        f"{mute.service}: {mute.signal or 'every signal'} is muted until "
        f"{mute.until:%Y-%m-%d %H:%M} UTC" + (f" ({mute.reason})" if mute.reason else "")
        for mute in rules.mutes
        if now < mute.until and mute.service in known
    ]
    unknown = [
        f"the rules name {name}, and there is no such service"
        for name in rules.unknown_names(known)
    ]
    return (*muted, *unknown)
