"""Flow ``publish_lake``: make what is committed, and what ``link_speakers`` found, the tables that people query.

It links first where ``link_speakers`` left nothing, or where the lake moved on since. Run it as often as you like:
the same facts give the same tables.
"""

from __future__ import annotations

from prefect import flow

from flows.forms import LakeAddress, LatestRunId
from flows.job import kept_link, reduce_lake
from flows.slots import lake_slot
from tasks import steps
from tasks.linking.lake import LinkReport
from tasks.planning.plan_files import latest_run_id
from tasks.publishing.publish import PublishReport
from tasks.workers import hear_our_loggers


@flow(name="publish_lake", flow_run_name="publish {lake}", persist_result=False)
def publish_lake(lake: LakeAddress, run_id: LatestRunId = None) -> PublishReport:
    """Publish a lake; where another run works on it, wait.

    Raises:
        ConfigError: no run has planned anything there.
        StorageError: the lake cannot be read or written.
    """
    hear_our_loggers()
    with lake_slot(lake):
        return reduce_lake(lake, run_id or latest_run_id(lake), _link_unless_kept, steps.publish).publish


def _link_unless_kept(lake: str, run_id: str) -> LinkReport:
    return kept_link(lake, run_id) or steps.link(lake, run_id)
