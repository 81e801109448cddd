"""Sends what lies in its outbox, a few messages at a time."""

import collections
import json
import time

OUTBOX = collections.deque()
LOOK_EVERY_SECONDS = 5.0


def queue_messages(outbox, tick):
    """Order confirmations that became due; their number."""
    due = 1 + tick % 4
    outbox.extend({"to": f"customer-{tick * 4 + number}@example.test"} for number in range(due))
    return due


def send_all(outbox):
    """Empty the outbox; how many messages were sent."""
    sent = 0
    while outbox:
        outbox.popleft()
        sent += 1
    return sent


def log(message, level="info", **fields):
    """A line of JSON."""
    print(json.dumps({"level": level, "message": message, **fields}), flush=True)


def main():
    """Work for ever."""
    log("mailer started")
    tick = 0
    while True:
        queue_messages(OUTBOX, tick)
        log("sent messages", sent=send_all(OUTBOX), waiting=len(OUTBOX))
        tick += 1
        time.sleep(LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    main()
