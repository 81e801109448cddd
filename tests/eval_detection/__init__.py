"""How well the detector judges: seeded days of trouble and of quiet, replayed and scored."""
