"""Messages to people, by Prefect's own blocks and automations. Run once; again to change it.

``python -m flows.notify --slack URL``, ``--teams URL``, ``--discord URL``, ``--webhook URL`` (JSON with
a ``text``), or ``--block TYPE/NAME`` for a notification block that is there; ``--off`` takes it back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import httpx
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.blocks.notifications import (
    CustomWebhookNotificationBlock,
    MicrosoftTeamsWebhook,
    SlackWebhook,
)
from prefect.client.orchestration import get_client
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr, ValidationError

from flows.deploy import ensure_automation

BLOCK = "autofix-messages"
NEWS, SILENCE = "autofix: news of incidents", "autofix: no tick succeeds"
INTERVALS = 3
"""Ticks that may be missing before somebody is told."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when it is set up, 1 when the server does not answer, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m flows.notify", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    for name in ("slack", "teams", "discord", "webhook"):
        where.add_argument(f"--{name}", metavar="URL")
    where.add_argument("--block", metavar="TYPE/NAME", help="such as slack-webhook/my-channel")
    where.add_argument("--off", action="store_true", help="send no more messages")
    parser.add_argument("--minutes", type=float, default=10, help="the monitor's interval")
    chosen = parser.parse_args(arguments)
    if not PREFECT_API_URL.value():
        return _refuse("PREFECT_API_URL is not set: give the address of the Prefect server", 2)
    try:
        if chosen.off:
            return turn_off()
        return turn_on(_block_id(chosen), timedelta(minutes=chosen.minutes))
    except (ValidationError, ValueError) as error:
        return _refuse(f"that is no address or no block: {str(error).splitlines()[0]}", 2)
    except httpx.HTTPError as error:
        return _refuse(f"the Prefect server does not answer: {type(error).__name__}", 1)


def turn_on(block: UUID, interval: timedelta) -> int:
    """Both automations, new or changed."""
    with get_client(sync_client=True) as client:
        for automation in (_news(block), _silence(block, interval)):
            ensure_automation(client, automation)
    print("messages are sent at the opening, the verdict and the end of an incident,")  # noqa: T201
    print(f"and when no tick has succeeded for {INTERVALS} intervals")  # noqa: T201
    return 0


def turn_off() -> int:
    """No automation of ours that sends messages."""
    with get_client(sync_client=True) as client:
        for name in (NEWS, SILENCE):
            for found in client.read_automations_by_name(name):
                client.delete_automation(found.id)
    print("no more messages are sent")  # noqa: T201
    return 0


def _news(block: UUID) -> AutomationCore:
    return AutomationCore(
        name=NEWS,
        description="One message at the opening, the verdict and the end of an incident.",
        trigger=EventTrigger(
            expect={"autofix.incident.*"},
            match=ResourceSpecification({"prefect.resource.id": "autofix.incident.*"}),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            SendNotification(
                block_document_id=block,
                subject="railway-autofix: {{ event.payload.service }}",
                body="{{ event.payload.text }}",
            )
        ],
    )


def _silence(block: UUID, interval: timedelta) -> AutomationCore:
    completed = "prefect.flow-run.Completed"
    return AutomationCore(
        name=SILENCE,
        description=f"No run of the monitor has completed for {INTERVALS} of its intervals.",
        trigger=EventTrigger(
            after={completed},
            expect={completed},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": "monitor_project_health"}
            ),
            posture=Posture.Proactive,
            threshold=1,
            within=INTERVALS * interval,
        ),
        actions=[
            SendNotification(
                block_document_id=block,
                subject="railway-autofix: nobody is watching",
                body=f"No tick has succeeded for {INTERVALS} intervals. Is a worker alive? "
                "Does Railway answer? `autofix doctor` says what is wrong.",
            )
        ],
    )


def _block_id(chosen: argparse.Namespace) -> UUID:
    """The id of the notification block, saved under our name unless it is somebody else's."""
    if chosen.block:
        found = Block.load(chosen.block)
        if not isinstance(found, NotificationBlock):
            raise ValueError(f"{chosen.block} sends no notifications")
        return _id(found)
    block = _make(chosen)
    block.save(BLOCK, overwrite=True)
    return _id(Block.load(f"{block.get_block_type_slug()}/{BLOCK}"))


def _make(chosen: argparse.Namespace) -> NotificationBlock:
    if chosen.slack:
        return SlackWebhook(url=SecretStr(chosen.slack))
    if chosen.teams:
        return MicrosoftTeamsWebhook(url=SecretStr(chosen.teams))
    url, key = (chosen.discord, "content") if chosen.discord else (chosen.webhook, "text")
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no http(s) address")
    return CustomWebhookNotificationBlock(
        name=BLOCK, url=url, json_data={key: "{{subject}}: {{body}}"}
    )


def _id(block: object) -> UUID:
    found = getattr(block, "_block_document_id", None)
    if not isinstance(found, UUID):
        raise ValueError("the block was not saved")  # noqa: TRY004 - told as bad input
    return found


def _refuse(line: str, status: int) -> int:
    print(f"autofix: {line}", file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
