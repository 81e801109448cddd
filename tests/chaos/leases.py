"""Leases for the Prefect server of the kill suite: those of a process that was killed end at once.

They end within a minute by themselves, as the tests with a server of its own show; the suite kills too
often to wait for it. Its server is told of this module by a setting.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from prefect.server.concurrency.lease_storage import filesystem

from tests.chaos import KILLED


class ConcurrencyLeaseStorage(filesystem.ConcurrencyLeaseStorage):
    """Prefect's own, in files."""

    async def read_expired_lease_ids(self, limit: int = 100) -> list[UUID]:
        """The leases that are over, those of the dead included."""
        killed = Path(os.environ["CHAOS_DIR"]) / KILLED
        if killed.exists():
            at = datetime.fromtimestamp(killed.stat().st_mtime, UTC)
            for lease_id in await self.read_active_lease_ids():
                lease = await self.read_lease(lease_id)
                if lease and lease.created_at < at:
                    await self.renew_lease(lease_id, timedelta(0))
        found: list[UUID] = await super().read_expired_lease_ids(limit)
        return found
