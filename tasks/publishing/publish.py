"""The publish stage: attribute what changed and make one consistent set of tables the lake's state."""

from __future__ import annotations

from dataclasses import dataclass

from storage.choices import RecipeChoice, choices_of
from storage.errors import PublicationRaced
from storage.lake import Lake
from storage.lake_records import LakeState, Publication
from storage.publishing import mirror_transcripts
from storage.schemas import WHOLES
from tasks.linking.lake import LinkReport
from tasks.planning.plan import RunPlan, has_same_reduce
from tasks.planning.plan_files import read_listing
from tasks.planning.spec import archive_key
from tasks.publishing.parts import write_parts
from tasks.publishing.select import select_recordings
from tasks.publishing.shown import Shown
from tasks.publishing.wholes import write_wholes


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What was published."""

    number: int
    n_recordings: int
    n_failed: int
    """Recordings or sources of the run's archive that stand as failed."""
    n_parts: int
    n_parts_written: int
    """Parts that were made anew; the others stayed as they were."""


def publish_lake(lake_url: str, run_id: str, link: LinkReport) -> PublishReport:
    """Publish the lake as the link stage saw it, with the speakers that it found.

    What others have committed in between has no speakers yet; it is published by whoever links next.

    Raises:
        PublicationRaced: another run published since the link stage read the lake; link again.
        StorageError: the lake cannot be read or written.
    """
    lake, plan = Lake(lake_url), read_listing(lake_url, run_id)
    linked = lake.store.read_table(link.wholes["commits"], WHOLES["commits"])
    state = lake.state(known=frozenset(linked["commit_id"].to_pylist()))
    number = state.publication.number if state.publication else 0
    if number != link.base_number:
        raise PublicationRaced(
            f"publication {number + 1}", "the lake moved on while speakers were linked", "link again"
        )
    selected = select_recordings(lake, state, plan, _linked_choices(lake, link))
    shown = Shown(lake, state, plan, selected, link)
    written = write_parts(lake, state, plan, shown)
    publication = Publication(
        number=number + 1,
        run_id=run_id,
        at=plan.spec.started_at,
        parts=written.parts,
        wholes={**link.wholes, **write_wholes(lake, state, plan, shown, written)},
        bases={**_bases_that_hold(state, plan), archive_key(plan.spec): plan.basis},
    )
    if not lake.publish(publication):
        raise PublicationRaced(f"publication {number + 1}", "another run published it first", "link again")
    mirror_transcripts(lake)
    return PublishReport(
        number=publication.number,
        n_recordings=len(selected),
        n_failed=shown.n_failed_sources(state, plan),
        n_parts=len(written.parts),
        n_parts_written=len(written.fresh),
    )


def _linked_choices(lake: Lake, link: LinkReport) -> tuple[RecipeChoice, ...]:
    """Return the choices that counted for linking; there were none where 0.3 has linked."""
    key = link.wholes.get("choices")
    return choices_of(lake.store.read_table(key, WHOLES["choices"])) if key else ()


def _bases_that_hold(state: LakeState, plan: RunPlan) -> dict[str, str]:
    """Return the bases of other archives that this publication shows as their own last run would."""
    bases = state.publication.bases if state.publication else {}
    return {
        archive: basis
        for archive, basis in bases.items()
        if archive not in state.unpublished_archives and has_same_reduce(basis, plan.basis)
    }
