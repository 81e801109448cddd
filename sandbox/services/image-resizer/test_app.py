"""Tests of scaling."""

import unittest

import app


class ScaleTest(unittest.TestCase):
    """What a scaled picture is."""

    def test_width_and_height_shrink_together(self):
        scaled = app.scale(app.PICTURES[3], 48)
        self.assertEqual((len(scaled[0]), len(scaled)), (48, 32))

    def test_a_picture_is_never_made_wider(self):
        self.assertEqual(app.scale(app.PICTURES[3], 500), app.PICTURES[3])

    def test_file_names_its_size(self):
        self.assertTrue(app.find_picture("/images/2?width=24").startswith(b"P5 24 16 255\n"))

    def test_unknown_picture_is_not_found(self):
        self.assertIsNone(app.find_picture("/images/999"))

    def test_a_batch_makes_previews(self):
        self.assertGreater(app.make_batch(seconds=0.01), 0)


if __name__ == "__main__":
    unittest.main()
