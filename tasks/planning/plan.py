"""Plan a run: what the archive holds, what the lake already knows, and shards of what is left to do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from storage.addresses import absolute_url, public_url
from storage.choices import choice_ids, published_choice_ids
from storage.decisions import event_ids
from storage.errors import ConfigError
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.publishing import inputs_digest, is_mirrored
from storage.recipes import REJECTED, STAGES, Stage
from storage.records import SourceHints, SourceObject
from storage.secrets import names_a_secret
from storage.store import json_bytes
from tasks.collector import held_off
from tasks.engines.registry import KINDS, EngineKind
from tasks.planning import rules
from tasks.planning.discover import discover
from tasks.planning.durations import claimed_durations_ms
from tasks.planning.listing_problems import ListingProblem, listing_problem
from tasks.planning.manifest import find_manifest, read_manifest
from tasks.planning.recipes import RecipeBook
from tasks.planning.shards import MINUTE_MS, duplicate_key, even_sizes, group_shards, load_ms, tapering_sizes
from tasks.planning.spec import RunSpec, archive_key, to_plain

_NO_HINTS = SourceHints()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRecording:
    """One object of the archive and what is still to be done with it."""

    obj: SourceObject
    hints: SourceHints
    recording_id: str | None
    """Known where the lake has read these very bytes before."""
    stages: tuple[Stage, ...]
    """What is missing; all of them where the bytes are not known yet."""
    hash_first: bool
    """Its size is that of other bytes, so its hash decides whether it has to be decoded at all."""
    duration_ms: int
    """What its header claims; 0 where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Recordings scheduled and retried together."""

    recordings: tuple[PlannedRecording, ...]

    @property
    def audio_ms(self) -> int:
        """Audio in the shard, as headers claim it."""
        return sum(recording.duration_ms for recording in self.recordings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource:
    """An object of the archive as this run saw it, done or not."""

    obj: SourceObject
    hints: SourceHints


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """All that the steps of one run need to know; written to the lake once, read by every worker."""

    spec: RunSpec
    shards: tuple[Shard, ...]
    listed: tuple[ListedSource, ...]
    problems: tuple[ListingProblem, ...]
    n_ignored: int
    """Files of the archive that are no recordings by their names."""
    basis: str
    """Digest of the listing, the hints and the recipes: equal basis, equal lake."""
    is_current: bool
    """Whether the lake already is what this run would make of it."""

    @property
    def n_pending(self) -> int:
        """Recordings with something left to do."""
        return sum(len(shard.recordings) for shard in self.shards)

    @property
    def audio_ms(self) -> int:
        """Audio left to do, as headers claim it."""
        return sum(shard.audio_ms for shard in self.shards)


@held_off()
def plan_run(spec: RunSpec) -> RunPlan:
    """Return the plan of a run; reads the listing, the manifest and the headers of what is new, writes nothing.

    Raises:
        ConfigError: archive, manifest, lake or an engine cannot be used.
    """
    spec = replace(spec, archive=absolute_url(spec.archive), lake=absolute_url(spec.lake))
    _refuse_secrets(spec)
    recipes = RecipeBook(spec)
    listing = discover(spec.archive)
    manifest_url = spec.manifest or find_manifest(spec.archive)
    hints = read_manifest(manifest_url, {obj.source for obj in listing.objects}) if manifest_url else {}
    spec = replace(spec, manifest=public_url(spec.manifest) if spec.manifest else None)
    hints = {source: _with_collection(some, spec) for source, some in hints.items()}
    no_hints = _with_collection(_NO_HINTS, spec)
    listed = tuple(ListedSource(obj=obj, hints=hints.get(obj.source, no_hints)) for obj in listing.objects)
    lake = Lake(spec.lake)
    problems = tuple(listing_problem(error) for error in listing.problems)
    state = lake.state()
    retried = _failed_recordings(lake, state) if spec.retry_failed else frozenset()
    pending = _with_durations(spec.archive, _pending(spec, listed, state, recipes, retried))
    basis = _basis(spec, listed, problems, recipes)
    published = state.publication.bases.get(archive_key(spec)) if state.publication else None
    return RunPlan(
        spec=spec,
        shards=_shards(spec, pending),
        listed=listed,
        problems=problems,
        n_ignored=listing.n_ignored,
        basis=basis,
        is_current=not pending and published == basis and _is_published(lake, state),
    )


def engines_needed(shards: Sequence[Shard]) -> list[EngineKind]:
    """Return the engines that shards will load; reading a recording always takes the detector."""
    stages = {stage for shard in shards for recording in shard.recordings for stage in recording.stages}
    of_stage: dict[Stage, EngineKind] = {
        "probe": "detector",
        "transcribe": "transcriber",
        "diarize": "diarizer",
        "fingerprint": "embedder",
    }
    return [kind for stage, kind in of_stage.items() if stage in stages or (stages and stage == "probe")]


def _refuse_secrets(spec: RunSpec) -> None:
    """Keep credentials out of plans and cards, which the lake keeps; those of a manifest are simply left out."""
    for url in (spec.archive, spec.lake):
        if public_url(url) != url:
            raise ConfigError(
                f"address {public_url(url)!r}",
                "carries credentials or a query",
                "give credentials in the environment that your storage reads",
            )
    for kind in KINDS:
        for name in filter(names_a_secret, spec.choice(kind).options):
            raise ConfigError(
                f"option {name!r} of {kind} {spec.choice(kind).name!r}",
                "looks like a secret, and options are written into the lake",
                "have the engine read it from the environment",
            )


def _is_published(lake: Lake, state: LakeState) -> bool:
    publication = state.publication
    return (
        publication is not None
        and "cards" in publication.wholes  # 0.3 did not write down what recipes stand for
        and not state.has_unpublished_commits
        and event_ids(lake) == frozenset(lake.whole(publication, "decided")["decision_id"].to_pylist())
        and choice_ids(lake) == published_choice_ids(lake, publication)
        and is_mirrored(lake, publication)
    )


def reduce_options(spec: RunSpec) -> tuple[object, ...]:
    """Return the options that decide what is made of the facts."""
    return spec.local_linking, spec.linking, spec.attribution, spec.utterances


def _with_collection(hints: SourceHints, spec: RunSpec) -> SourceHints:
    return hints if hints.collection or not spec.collection else replace(hints, collection=spec.collection)


def _pending(
    spec: RunSpec,
    listed: Sequence[ListedSource],
    state: LakeState,
    recipes: RecipeBook,
    retried: frozenset[str],
) -> list[PlannedRecording]:
    archive = archive_key(spec)
    sizes = {sighting.size_bytes for sighting in state.sightings}
    pending = []
    for source in listed:
        known = state.sightings.get((archive, source.obj.source))
        same = known and (known.size_bytes, known.mark) == (source.obj.size_bytes, source.obj.mark)
        recording_id = known.recording_id if known and same else None
        stages: tuple[Stage, ...] = STAGES
        if recording_id and recording_id not in retried:
            stages = missing_stages(recording_id, recipes.of(source.hints), state)
        if stages:
            pending.append(
                PlannedRecording(
                    obj=source.obj,
                    hints=source.hints,
                    recording_id=recording_id,
                    stages=stages,
                    hash_first=source.obj.size_bytes in sizes,
                    duration_ms=0,
                )
            )
            sizes.add(source.obj.size_bytes)
    return pending


def missing_stages(recording_id: str, recipes: Mapping[Stage, str], state: LakeState) -> tuple[Stage, ...]:
    """Return the stages that the lake has no facts of under these recipes."""
    if (recording_id, REJECTED, recipes["probe"]) in state.done:
        return ()
    return tuple(stage for stage in STAGES if (recording_id, stage, recipes[stage]) not in state.done)


def _failed_recordings(lake: Lake, state: LakeState) -> frozenset[str]:
    failures = lake.whole(state.publication, "failures")["recording_id"].to_pylist()
    return frozenset(recording_id for recording_id in failures if recording_id)


def _with_durations(archive: str, pending: Sequence[PlannedRecording]) -> list[PlannedRecording]:
    durations_ms = claimed_durations_ms(archive, [recording.obj for recording in pending])
    return [
        replace(recording, duration_ms=duration_ms)
        for recording, duration_ms in zip(pending, durations_ms, strict=True)
    ]


def _shards(spec: RunSpec, pending: Sequence[PlannedRecording]) -> tuple[Shard, ...]:
    total_ms = sum(load_ms(recording.duration_ms) for recording in pending)
    even_ms = max(1, int(spec.shard_minutes * MINUTE_MS)) if spec.shard_minutes else None
    sizes_ms = even_sizes(total_ms, even_ms, len(pending)) if even_ms else tapering_sizes(total_ms, spec.workers)
    groups = group_shards(
        pending,
        [recording.duration_ms for recording in pending],
        [duplicate_key(recording.obj) for recording in pending],
        sizes_ms,
    )
    return tuple(Shard(recordings=tuple(group)) for group in groups)


def _basis(
    spec: RunSpec, listed: Sequence[ListedSource], problems: Sequence[ListingProblem], recipes: RecipeBook
) -> str:
    options = [to_plain(option) for option in reduce_options(spec)]
    reduce = inputs_digest([rules.LINK_RULES, rules.PUBLISH_RULES, options])
    digest = hashlib.sha256()
    digest.update(json_bytes([recipes.identities(), to_plain(problems)]))
    hints, plain_hints = None, ""
    for source in listed:
        if source.hints is not hints:
            hints = source.hints
            plain_hints = repr([to_plain(hints), sorted(recipes.of(hints).items())])
        obj = source.obj
        digest.update(f"{(obj.source, obj.size_bytes, obj.mark)!r}{plain_hints}".encode())
    return f"{reduce}-{digest.hexdigest()[:16]}"


def has_same_reduce(basis: str, other: str) -> bool:
    """Return whether two runs make the same of the same facts, by their bases."""
    return basis.partition("-")[0] == other.partition("-")[0]
