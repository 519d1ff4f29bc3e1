"""What a run changed in the lake, by comparing its publication with the one before. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tasks.linking.lake import LinkReport
from tasks.publishing.publish import PublishReport
from tasks.reading.archive_view import ArchiveView

MOST_NAMES = 20
"""Names of a kind that are told; of the others only their number."""


class Names(NamedTuple):
    """Some of so many names, sorted."""

    n: int
    some: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeChanges:
    """What is other than before. Recordings are told by their source in the archive of the run."""

    publication: int
    added: Names
    """Sources that nobody had seen before, but for those that moved."""
    changed: Names
    """Sources whose bytes are others now."""
    moved: Names
    """New sources with the bytes of one that is gone."""
    gone: Names
    failed: Names
    """Sources that stand as failed and did not before."""
    recovered: Names
    """Sources that stood as failed, are still there, and do not now."""
    still_failed: int
    added_ms: int
    """Sound of the lake that was not in it before."""
    n_speakers_new: int
    n_speakers_grown: int
    n_speakers_merged: int
    n_speakers_split: int
    n_parts: int
    n_parts_written: int

    def counts(self) -> dict[str, int]:
        """Return the numbers that the view ``runs`` shows."""
        return {
            "n_added": self.added.n,
            "n_changed": self.changed.n,
            "n_moved": self.moved.n,
            "n_gone": self.gone.n,
            "n_newly_failed": self.failed.n,
            "n_recovered": self.recovered.n,
            "added_ms": self.added_ms,
            "n_speakers_new": self.n_speakers_new,
            "n_speakers_grown": self.n_speakers_grown,
            "n_speakers_merged": self.n_speakers_merged,
            "n_speakers_split": self.n_speakers_split,
            "n_parts_written": self.n_parts_written,
        }


def changes_between(
    before: ArchiveView, after: ArchiveView, added_ms: int, link: LinkReport, publish: PublishReport
) -> LakeChanges:
    """Return what the publication ``after`` has that ``before`` had not, and the other way round.

    Args:
        before: The archive of the run in the publication before its own.
        after: The same in its own.
        added_ms: Sound that came into the lake between the two.
        link: What linking found.
        publish: What was published.
    """
    new = {source for source in after.present if source not in before.ids}
    gone = before.present - after.present
    gone_ids = {before.ids[source] for source in gone if source in before.ids} - {None}
    moved = {source for source in new if after.ids.get(source) in gone_ids}
    arrived = {after.ids[source] for source in moved}
    return LakeChanges(
        publication=publish.number,
        added=names(new - moved),
        changed=names(_changed(before.ids, after.ids, before.present & after.present)),
        moved=names(moved),
        gone=names({source for source in gone if before.ids.get(source) not in arrived}),
        failed=names(after.failing - before.failing),
        recovered=names((before.failing & after.present) - after.failing),
        still_failed=len(before.failing & after.failing),
        added_ms=added_ms,
        n_speakers_new=link.n_new,
        n_speakers_grown=link.n_grown,
        n_speakers_merged=link.n_merged,
        n_speakers_split=link.n_split,
        n_parts=publish.n_parts,
        n_parts_written=publish.n_parts_written,
    )


def names(all_of_them: Collection[str]) -> Names:
    """Return the first of the names and how many there are."""
    return Names(len(all_of_them), tuple(sorted(all_of_them)[:MOST_NAMES]))


def _changed(
    before: Mapping[str, str | None], after: Mapping[str, str | None], both: Collection[str]
) -> Collection[str]:
    """Return the sources with other bytes; where one of both could not be read, nobody knows."""
    pairs = ((source, before.get(source), after.get(source)) for source in both)
    return {source for source, was, now in pairs if was and now and was != now}
