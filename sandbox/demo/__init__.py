"""The whole story on embedded defaults: starts everything, runs the main job, checks the world."""
