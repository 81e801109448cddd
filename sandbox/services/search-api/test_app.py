"""Tests of the search."""

import time
import unittest

import app


class SearchTest(unittest.TestCase):
    """What a search finds, and what it costs."""

    def test_whole_words_come_first(self):
        names, _ = app.search("green lamp", until=time.thread_time() + 0.1)
        self.assertTrue(all(name.startswith("green lamp") for name in names))

    def test_it_ends_when_its_time_is_spent(self):
        started = time.thread_time()
        app.search("desk")
        self.assertLess(time.thread_time() - started, 5 * app.SEARCH_SECONDS)

    def test_it_finds_nothing_without_time(self):
        self.assertEqual(app.search("desk", until=0), ([], 0))

    def test_many_at_once_get_less_each(self):
        budget = app.Budget(0.012)
        with budget as first, budget as second, budget as third:
            self.assertEqual((first, second, third), (0.012, 0.012, 0.006))


if __name__ == "__main__":
    unittest.main()
