"""Flow ``evaluate_lake``: compare a lake with references and fail where it is worse than it may be.

It changes nothing in the lake. Schedule it after ``transcribe_archive``, and a change of engines that makes the lake
worse is a failed run with a page that says by how much.
"""

from __future__ import annotations

from prefect import flow

from flows import forms
from storage.addresses import public_url
from storage.errors import LimitsBroken
from tasks import steps
from tasks.evaluation.gate import GateReport, Limits
from tasks.workers import hear_our_loggers

_NO_LIMITS = Limits()


@flow(name="evaluate_lake", flow_run_name="evaluate {lake}", persist_result=False)
def evaluate_lake(
    lake: forms.LakeAddress,
    references: forms.References,
    uem: forms.ScoredRegions = None,
    names: forms.NamesInReferences = "shared",
    limits: forms.KeptLimits = _NO_LIMITS,
) -> GateReport:
    """Score a lake by references and leave the figures as artifacts.

    Raises:
        ConfigError: a scorer is missing, there is no lake, or a reference cannot be read or is about nothing there.
        LimitsBroken: a limit is not kept; says which, value and limit.
        StorageError: the lake or the references cannot be read.
    """
    hear_our_loggers()
    report = steps.evaluate(lake, references, uem, names, limits)
    if report.broken:
        raise LimitsBroken(f"lake {public_url(lake)!r}", "; ".join(report.broken), "see the run's artifacts")
    return report
