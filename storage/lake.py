"""The lake: facts, the commits that make them visible, and the publications made from them.

    facts/<table>/<commit>.parquet       what stages found; never changed
    commits/<commit>.json                written last: its facts exist from here on
    compactions/<compaction>.json        where facts of many commits are together (``storage.compactions``)
    published/<table>/<name>.parquet     derived tables, never changed, named by what they were made of
    publications/<number>.json           which of those files make up the lake now; the highest number counts
    transcripts/<part>.parquet           the published transcripts again, for engines that want one glob
    names/<event>.json                   names people gave to speakers
    decisions/<decision>.json            what else people decided about speakers (``storage.decisions``)
    erased/<decision>.json               that a forgotten person is gone (``storage.decisions``)
    enrolled/<decision>.parquet          voices that people brought (``storage.enrolled``)
    recipes/<recipe>.json                what recipes stand for (``storage.recipe_cards``)
    choices/<choice>.json                which recipes people chose to see (``storage.choices``)
    comparisons/, disagreements/         where recipes differ (``storage.comparisons``)
    packs/<pack>.json                    sorted copies of published rows (``storage.packs``)
    runs/<run>.json                      one record per run
    plans/<run>.json                     what a run is about to do; only read by that run
    planned/<run>.jsonl                  its shards and all that it listed, a line for each shard
    claims/<run>/<shard>.json            which worker of a pool takes a shard
    linked/<run>.json                    what ``link_speakers`` left to be published

Every name is written once, so that readers and writers need no lock; a race for a publication's number is decided by
``Store.create``. Nothing but these objects says what is done. Only forgetting a person changes files that are there:
it takes their fingerprints out of them and deletes their name. Only maintenance deletes files, when nobody has read
them for a while.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from storage.columns import shared_values
from storage.compactions import (
    INDEX,
    Compaction,
    RowKey,
    compacted_schema,
    compaction_of,
    read_compactions,
    read_facts,
)
from storage.errors import StorageError
from storage.fact_owners import FactKey, FactOwners
from storage.lake_records import (
    Commit,
    LakeState,
    Publication,
    decode_commit,
    decode_publication,
    encode,
)
from storage.runs import RunRecord, run_record
from storage.schemas import FACTS, WHOLES
from storage.sightings import Sighting, Sightings
from storage.store import Store, json_bytes

_COMMITS_AT_ONCE = 16
"""Manifests of commits that are in memory as JSON and as records, on their way into a state."""


class Lake:
    """Reads and writes a lake; holds no state of its own."""

    def __init__(self, url: str) -> None:
        """Name the lake; nothing is created or contacted yet."""
        self.url = url
        self.store = Store(url)

    # ---- facts

    def write_commit(
        self, run_id: str, rows: Mapping[str, list[dict[str, Any]]], done: Iterable[FactKey], sightings: list[Sighting]
    ) -> Commit:
        """Write facts and, last, the manifest that makes them visible."""
        at = datetime.now(UTC)
        commit_id = f"{at:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        files = {}
        for table, table_rows in rows.items():
            if table_rows:
                files[table] = f"facts/{table}/{commit_id}.parquet"
                columns = [
                    pa.array([row.get(name) for row in table_rows], type=FACTS[table].field(name).type)
                    for name in FACTS[table].names
                ]
                self.store.write_table(files[table], pa.Table.from_arrays(columns, schema=FACTS[table]))
        commit = Commit(
            commit_id=commit_id, run_id=run_id, files=files, done=tuple(sorted(done)), sightings=tuple(sightings)
        )
        self.store.create(f"commits/{commit_id}.json", encode(commit))
        return commit

    def facts(
        self, table: str, state: LakeState, wanted: Iterable[FactKey], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the facts of those keys, each row exactly once; those of one key in the order they were written.

        Args:
            table: Which table.
            state: Which commits count.
            wanted: Keys of the stage that fills the table; what is not done has no rows.
            columns: Only these; all by default.
        """
        rows_of: dict[str, list[RowKey]] = defaultdict(list)
        compacted = set()
        for key in wanted:
            commit_id = state.done.get(key)
            file = state.commits[commit_id].get(table) if commit_id else None
            if commit_id and file:
                rows_of[file].append((commit_id, key[0], key[2]))
                if commit_id in state.compacted:
                    compacted.add(file)
        tables = [
            read_facts(self.store, file, table, rows, columns, is_compacted=file in compacted)
            for file, rows in sorted(rows_of.items())
        ]
        empty = FACTS[table].empty_table()
        return pa.concat_tables([empty if columns is None else empty.select(list(columns)), *tables])

    def state(
        self, *, known: Collection[str] | None = None, before: LakeState | None = None, is_compact: bool = False
    ) -> LakeState:
        """Return what is known and done.

        Args:
            known: By no other commits than these.
            before: An earlier state of this lake, which grows into the one returned and is of no use afterwards: where
                nothing was published or removed since, only the commits made since are read.
            is_compact: Keep of recordings a third of what they are as objects, for more than twice the time.
        """
        publication = self.latest_publication()
        names = {name.removesuffix(".json") for name in self.store.list("commits")}
        of_commit = compaction_of(read_compactions(self.store))  # listed later: holds what vanished from the list
        names |= of_commit.keys()
        names = names if known is None else names & set(known)
        if before is not None and before.publication == publication and before.unpublished <= names:
            sightings, done, commits = before.sightings, before.done, dict(before.commits)
            unpublished, archives = set(before.unpublished), set(before.unpublished_archives)
        else:
            sightings, done, commits = self._index(publication, is_compact=is_compact)
            unpublished, archives = set(), set()
        for commit in self._commits(sorted(names - commits.keys()), of_commit):
            unpublished.add(commit.commit_id)
            commits[commit.commit_id] = commit.files
            done.add((*key, commit.commit_id) for key in commit.done)
            archives |= {sighting.archive for sighting in commit.sightings}
            sightings.add(commit.sightings)
        compacted = {name: one for name, one in of_commit.items() if name in commits}
        commits |= {name: one.files for name, one in compacted.items()}
        for commit_id, files in commits.items():
            if "" in files:
                raise StorageError(files[""], f"holds commit {commit_id} and is gone", "restore it from a backup")
        return LakeState(
            publication=publication,
            sightings=sightings,
            done=done,
            commits=commits,
            compacted={name: one.compaction_id for name, one in compacted.items()},
            unpublished=frozenset(unpublished),
            unpublished_archives=frozenset(archives),
        )

    def read_commits(self, names: Sequence[str]) -> dict[str, Commit]:
        """Return commits by name as their manifests have them; those that were deleted are left out."""
        records = self.store.read_jsons("commits", [f"{name}.json" for name in names])
        return {record["commit_id"]: decode_commit(record) for record in records.values()}

    def commits_after(self, at: datetime, known: Collection[str]) -> list[Commit]:
        """Return the commits made since that moment but for the known, oldest first; not what vanishes meanwhile."""
        first = f"{at:%Y%m%dT%H%M%S%f}"
        names = [name.removesuffix(".json") for name in self.store.list("commits") if name >= first]
        return list(self.read_commits([name for name in names if name not in known]).values())

    def all_failures(self, state: LakeState) -> list[tuple[str, dict[str, Any]]]:
        """Return every failure ever committed, with its commit; publish decides which still stand."""
        failures = []
        for file, commit_id in {
            one["failures"]: name for name, one in state.commits.items() if "failures" in one
        }.items():
            if commit_id not in state.compacted:
                rows = self.store.read_table(file, FACTS["failures"]).to_pylist()
                failures += [(commit_id, row) for row in rows]
                continue
            rows = self.store.read_table(file, compacted_schema("failures")).to_pylist()
            named = [(row.pop("commit_id"), row) for row in rows]
            failures += [one for one in named if state.commits.get(one[0], {}).get("failures") == file]
        return sorted(failures, key=lambda one: one[0])

    # ---- publications

    def latest_publication(self) -> Publication | None:
        """Return the publication that counts, or None in a new lake."""
        names = [name for name in self.store.list("publications") if name.endswith(".json")]
        return decode_publication(self.store.read_json(f"publications/{names[-1]}")) if names else None

    def publication(self, number: int) -> Publication | None:
        """Return a publication by its number, or None where there is none."""
        key = f"publications/{number:08d}.json"
        return decode_publication(self.store.read_json(key)) if self.store.exists(key) else None

    def publish(self, publication: Publication) -> bool:
        """Make a publication the lake's state; return False where somebody else took the number first."""
        return self.store.create(f"publications/{publication.number:08d}.json", encode(publication))

    def whole(self, publication: Publication | None, table: str) -> pa.Table:
        """Return one of the small published tables."""
        if publication is None or table not in publication.wholes:
            return WHOLES[table].empty_table()
        return self.store.read_table(publication.wholes[table], WHOLES[table])

    # ---- runs, plans, names

    def write_run(self, record: RunRecord) -> None:
        """Write or renew a run's record."""
        self.store.put(f"runs/{record.run_id}.json", encode(record))

    def runs(self) -> list[RunRecord]:
        """Return all runs, oldest first."""
        records = self.store.read_jsons("runs").values()
        return sorted(map(run_record, records), key=lambda record: (record.started_at, record.run_id))

    def name_speaker(self, speaker_id: str, name: str | None) -> None:
        """Give a speaker a name, or take it away; counts at once and for all recordings."""
        at = datetime.now(UTC)
        event = {"speaker_id": speaker_id, "name": name, "at": at.isoformat()}
        self.store.create(f"names/{at:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}.json", json_bytes(event))

    def names(self) -> dict[str, str]:
        """Return the names that stand, by speaker_id."""
        events = self.store.read_jsons("names").values()
        latest = {event["speaker_id"]: event["name"] for event in events}
        return {speaker_id: name for speaker_id, name in latest.items() if name}

    def forget_names(self, speaker_ids: Collection[str]) -> int:
        """Delete every name that these speakers were ever given; return how many there were."""
        events = self.store.read_jsons("names")
        theirs = [name for name, event in events.items() if event["speaker_id"] in speaker_ids]
        for name in theirs:
            self.store.delete(f"names/{name}")
        return len(theirs)

    # ---- inside

    def _index(
        self, publication: Publication | None, *, is_compact: bool
    ) -> tuple[Sightings, FactOwners, dict[str, Mapping[str, str]]]:
        sightings, done = Sightings(is_compact=is_compact), FactOwners(is_compact=is_compact)
        if publication is None:
            return sightings, done, {}
        sources = self.whole(publication, "sources")
        names = ("archive", "source", "size_bytes", "mark", "recording_id", "last_seen")
        sightings.add(
            Sighting(archive=archive, source=source, size_bytes=size, mark=mark, recording_id=recording_id, at=at)
            for archive, source, size, mark, recording_id, at in zip(
                *(shared_values(sources[name]) for name in names), strict=True
            )
        )
        index = self.whole(publication, "done")
        done.add(
            zip(*(shared_values(index[name]) for name in ("recording_id", "stage", "recipe", "commit_id")), strict=True)
        )
        files: dict[str, dict[str, str]] = defaultdict(dict)
        columns = self.whole(publication, "commits").select(["commit_id", "table", "key"]).to_pydict()
        for commit_id, table, file in zip(*columns.values(), strict=True):
            files[commit_id] |= {table: file} if file else {}
        return sightings, done, dict(files)

    def _commits(self, names: Sequence[str], of_commit: Mapping[str, Compaction]) -> Iterator[Commit]:
        """Yield commits, oldest first, few of them read at a time; those compacted as their compaction knows them."""
        compacted: dict[str, Commit] = {}
        for one in {of_commit[name].compaction_id: of_commit[name] for name in names if name in of_commit}.values():
            compacted |= self._compacted_commits(one)
        for low in range(0, len(names), _COMMITS_AT_ONCE):
            some = names[low : low + _COMMITS_AT_ONCE]
            known = compacted | self.read_commits([name for name in some if name not in of_commit])
            yield from (known[name] for name in some if name in known)

    def _compacted_commits(self, compaction: Compaction) -> dict[str, Commit]:
        index = {table: self.store.read_table(compaction.files[table], schema) for table, schema in INDEX.items()}
        done: dict[str, list[FactKey]] = defaultdict(list)
        for recording_id, stage, recipe, commit_id in zip(*index["done"].to_pydict().values(), strict=True):
            done[commit_id].append((recording_id, stage, recipe))
        sightings: dict[str, list[Sighting]] = defaultdict(list)
        for row in index["sightings"].to_pylist():
            sightings[row.pop("commit_id")].append(Sighting(**row))
        return {
            commit_id: Commit(
                commit_id=commit_id,
                run_id=run_id,
                files=compaction.files,
                done=tuple(done[commit_id]),
                sightings=tuple(sightings[commit_id]),
            )
            for commit_id, run_id in compaction.commits.items()
        }


def new_run_id(at: datetime) -> str:
    """Return a run_id that sorts by time, to the millisecond."""
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}-{uuid.uuid4().hex[:6]}"
