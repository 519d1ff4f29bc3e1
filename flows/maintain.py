"""Flow ``maintain_lake``: few large files instead of many small ones, and nothing that nobody reads any more.

What is read of the lake stays the same, also while it runs. Schedule it weekly, at any time: where another run works on
the lake, it waits.
"""

from __future__ import annotations

from prefect import flow

from flows.forms import DryRun, GraceDays, LakeAddress
from flows.slots import lake_slot
from tasks import steps
from tasks.maintenance.maintain import GRACE_DAYS, MaintainReport
from tasks.workers import hear_our_loggers


@flow(name="maintain_lake", flow_run_name="maintain {lake}", persist_result=False)
def maintain_lake(lake: LakeAddress, grace_days: GraceDays = GRACE_DAYS, *, dry_run: DryRun = False) -> MaintainReport:
    """Compact a lake and delete what nobody has read for a while; where another run works on it, wait.

    Raises:
        ConfigError: there is no lake.
        StorageError: the lake cannot be read or written.
    """
    hear_our_loggers()
    with lake_slot(lake):
        return steps.maintain(lake, grace_days, is_dry_run=dry_run)
