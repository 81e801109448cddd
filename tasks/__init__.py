"""Prefect shells around one call into `autofix` each."""

import logging
import os

from tasks.guard import guard_logs, says_more_than_prefects_advice

os.umask(0o077)  # results hold what was read from a project: for their owner only
guard_logs()  # before any task can run: what a run logs goes through the door
logging.getLogger("prefect.task_runs").addFilter(says_more_than_prefects_advice)
