"""Which speaker is meant: by an ID, also one that was merged into another since, or by a name that only one has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storage.decisions import Decision, read_log
from storage.errors import ConfigError
from storage.lake import Lake
from storage.lake_records import Publication

_SEE_LIST = "see: voxlake speakers list LAKE"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpeakers:
    """Everybody whom a lake has an ID for."""

    merged_into: Mapping[str, str | None]
    """For each ID the one that it was merged into, if it was."""
    names: Mapping[str, str]
    forgotten: Mapping[str, Decision]
    """The decision to forget, by speaker_id."""

    def find(self, who: str) -> str:
        """Return the speaker_id that is borne now by whom an ID or a name means.

        Raises:
            ConfigError: nobody is meant, or several are, or somebody who was forgotten.
        """
        speaker_id = self.find_ever(who)
        if speaker_id in self.forgotten:
            raise ConfigError(f"speaker {who!r}", "was forgotten", _SEE_LIST)
        return speaker_id

    def find_ever(self, who: str) -> str:
        """Return the same, also of somebody who was forgotten.

        Raises:
            ConfigError: nobody is meant, or several are.
        """
        ids = {who} if who in self.merged_into else {one for one, name in self.names.items() if name == who}
        meant = sorted({self.current(one) for one in ids})
        if not meant:
            raise ConfigError(f"speaker {who!r}", "is not in the lake", _SEE_LIST)
        if len(meant) > 1:
            raise ConfigError(f"speaker {who!r}", f"is the name of {', '.join(meant)}", "say which ID")
        return meant[0]

    def current(self, speaker_id: str) -> str:
        """Return whom an ID was merged into, through all merges; itself if it was not."""
        passed = set()
        while (other := self.merged_into.get(speaker_id)) and speaker_id not in passed:
            passed.add(speaker_id)
            speaker_id = other
        return speaker_id


def known_speakers(lake: Lake, publication: Publication | None = None) -> KnownSpeakers:
    """Return everybody who was published, and those who were only enrolled so far."""
    rows = lake.whole(publication or lake.latest_publication(), "speakers").to_pylist()
    log = read_log(lake)
    enrolled = {one.speaker_id for one in log.of_kind("enroll")}
    return KnownSpeakers(
        merged_into=dict.fromkeys(sorted(enrolled)) | {row["speaker_id"]: row["merged_into"] for row in rows},
        names=lake.names(),
        forgotten={one.speaker_id: one for one in log.of_kind("forget")},
    )


def find_speaker(lake_url: str, who: str) -> str:
    """Return the speaker_id that an ID or a name means; raises as ``KnownSpeakers.find``."""
    return known_speakers(Lake(lake_url)).find(who)
