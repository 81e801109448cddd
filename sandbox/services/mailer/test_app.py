"""Tests of the mailer."""

import collections
import unittest

import app


class MailerTest(unittest.TestCase):
    """What happens to messages."""

    def test_everything_queued_is_sent_once(self):
        outbox = collections.deque()
        queued = app.queue_messages(outbox, tick=3)
        self.assertEqual(app.send_all(outbox), queued)
        self.assertEqual(app.send_all(outbox), 0)


if __name__ == "__main__":
    unittest.main()
