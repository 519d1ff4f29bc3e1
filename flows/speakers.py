"""Flow ``link_speakers``: find the same voices across the lake again, without touching what the engines found.

It links by the latest plan in the lake and leaves the result there for ``publish_lake``. Run it as often as you
like: nobody sees new speakers before they are published.
"""

from __future__ import annotations

import logging

from prefect import flow

from flows.forms import LakeAddress, LatestRunId
from flows.job import keep_link
from flows.slots import lake_slot
from tasks import steps
from tasks.linking.lake import LinkReport
from tasks.planning.plan_files import latest_run_id
from tasks.reading.telling import link_line
from tasks.workers import hear_our_loggers

log = logging.getLogger(__name__)


@flow(name="link_speakers", flow_run_name="link {lake}", persist_result=False)
def link_speakers(lake: LakeAddress, run_id: LatestRunId = None) -> LinkReport:
    """Link all fingerprints of a lake into speakers; where another run works on it, wait.

    Raises:
        ConfigError: no run has planned anything there.
        StorageError: the lake cannot be read or written.
    """
    hear_our_loggers()
    with lake_slot(lake):
        run_id = run_id or latest_run_id(lake)
        log.info("linking speakers")
        report = steps.link(lake, run_id)
        log.info("%s", link_line(report))
        keep_link(lake, run_id, report)
    return report
