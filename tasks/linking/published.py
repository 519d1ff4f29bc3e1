"""Links as they are published now: what further linking begins with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from storage.fact_owners import FactKey
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.memory import read_memory


class PublishedLinks:
    """Read as far as it is asked for."""

    def __init__(self, lake: Lake, state: LakeState) -> None:
        """Name the publication."""
        self._lake, self._publication = lake, state.publication
        self.number = state.publication.number if state.publication else 0

    def table(self, name: str) -> pa.Table:
        """Return one of the small tables."""
        return self._lake.whole(self._publication, name)

    @cached_property
    def memory(self) -> Mapping[str, pa.Table] | None:
        """What linking remembers; None where it does not."""
        return read_memory(self._lake, self._publication)

    @cached_property
    def speakers(self) -> pa.Table:
        """Every ID ever published."""
        return self.table("speakers")

    @cached_property
    def since(self) -> dict[str, int]:
        """Number of the publication that first had each ID."""
        columns = self.speakers.select(["speaker_id", "since"]).to_pydict()
        return dict(zip(columns["speaker_id"], columns["since"], strict=True))

    @cached_property
    def links(self) -> pa.Table:
        """Who each local speaker is."""
        return self.table("links")

    @cached_property
    def id_of_local(self) -> dict[tuple[str, str], str]:
        """speaker_id of each local speaker that has one."""
        known = self.links.filter(self.links["speaker_id"].is_valid())
        columns = known.select(["recording_id", "local_speaker", "speaker_id"]).to_pydict()
        keys = zip(columns["recording_id"], columns["local_speaker"], strict=True)
        return dict(zip(keys, columns["speaker_id"], strict=True))

    @cached_property
    def keys(self) -> frozenset[FactKey]:
        """Keys of the fingerprints that were linked."""
        selected = self.table("selected")
        linked = selected.filter(pc.equal(selected["stage"], "fingerprint"))
        columns = linked.select(["recording_id", "stage", "recipe"]).to_pydict()
        return frozenset(zip(*columns.values(), strict=True))
