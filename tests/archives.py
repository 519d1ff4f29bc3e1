"""Archives of tones for whole runs, and what two lakes made of them have in common."""

from __future__ import annotations

from pathlib import Path

from flows.settings import build_spec, load_settings
from storage.lake import Lake
from storage.records import Clip
from storage.schemas import FACTS
from tasks.planning.spec import RunSpec
from tests.lakes import lake_rows, write_wav
from tests.tones import spoken, tone_clip

_VOICES_HZ = ((400, 1900), (700, 1900), (400, 2500), (700, 2500), (1000, 3100), (1300, 3100))
_OF_THE_RUN = frozenset({"run_id", "at", "first_seen", "last_seen", "since"})


def conversation(index: int, *, seconds: int = 12) -> Clip:
    """Return two voices taking turns every three seconds; voices return in other conversations."""
    first, second = _VOICES_HZ[index % len(_VOICES_HZ)]
    starts = range(500, seconds * 1000 - 3000, 3000)
    sounds = [
        sound
        for turn, start_ms in enumerate(starts)
        for sound in spoken(start_ms, (first, second)[turn % 2], 4 + index % 3)
    ]
    return tone_clip(seconds * 1000, sounds)


def write_archive(root: Path, n_recordings: int = 6) -> Path:
    """Write conversations into two folders, and beside them a file that is no audio."""
    for index in range(n_recordings):
        write_wav(root / f"folder {index % 2}" / f"talk {index}.wav", conversation(index, seconds=12 + index))
    (root / "broken.mp3").write_bytes(b"no audio at all " * 16)
    return root


def fake_spec(archive: Path, lake: Path, **settings: object) -> RunSpec:
    """Return a run with the fake engines and a shard for about each recording."""
    explicit = {"profile": "fake", "workers": 2, "shard_minutes": 0.2, **settings}
    return build_spec(load_settings(None, **explicit), str(archive), str(lake))


def published_rows(lake: Path) -> dict[str, list[str]]:
    """Return every view's rows in a canonical order, without what names a run or a moment."""
    return lake_rows(lake, passing=_OF_THE_RUN)


def committed_facts(lake: Path) -> dict[str, list[str]]:
    """Return the facts that count, each once, without what names a run or a moment."""
    opened = Lake(str(lake))
    state = opened.state()
    kept = {table: [name for name in schema.names if name not in _OF_THE_RUN] for table, schema in FACTS.items()}
    return {
        table: sorted(map(repr, opened.facts(table, state, state.done).select(kept[table]).to_pylist()))
        for table in FACTS
        if table != "failures"
    }


def n_commits(lake: Path) -> int:
    """Return how many commits there are."""
    return len(Lake(str(lake)).store.list("commits"))
