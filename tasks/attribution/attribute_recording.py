"""The attribute stage for one recording: facts and speakers in, published tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from storage.records import FloatArray, Segment, Utterance
from storage.schemas import PARTS, table_of
from tasks.attribution.attribute import REASONS, AttributeOptions, Attribution, attribute
from tasks.attribution.columns import NOBODY, TurnTimes, WordTexts, WordTimes
from tasks.attribution.coverage import SpanArray, cover
from tasks.attribution.cutting import CutOptions
from tasks.attribution.orthography import sentence_ends
from tasks.attribution.suspect import flag_suspects
from tasks.attribution.utterances import Utterances, build_utterances

Row = dict[str, Any]
LabelKey = tuple[int, int, str]
"""channel, chunk_index, label."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingTables:
    """The facts of one recording."""

    recordings: pa.Table
    speech: pa.Table
    segments: pa.Table
    words: pa.Table
    turns: pa.Table
    fingerprints: pa.Table
    failures: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSpeakers:
    """What the link stage says of one recording."""

    of_label: Mapping[LabelKey, str]
    """Local speaker of each label of each chunk."""
    speaker_id: Mapping[str, str | None]
    """Speaker of each local speaker."""


def attribute_recording(
    identity: Row,
    facts: RecordingTables,
    speakers: RecordingSpeakers,
    attribution: AttributeOptions,
    cutting: CutOptions,
) -> dict[str, pa.Table]:
    """Return every part table for one recording.

    Args:
        identity: recording_id, source, recipe and run_id, which every row carries.
        facts: what the stages found.
        speakers: who its labels are.
        attribution: how words find their speaker.
        cutting: how words become utterances.
    """
    names = sorted(set(speakers.of_label.values()), key=lambda name: (len(name), name))
    exclusive, full = (_turn_times(facts.turns, speakers, names, is_exclusive=flag) for flag in (True, False))
    words = facts.words.sort_by([(name, "ascending") for name in ("start_ms", "end_ms", "channel", "chunk_index")])
    segments, segment_of_word = _segments(facts.segments, words)
    times, texts = _words(words, segment_of_word)
    said = attribute(times, exclusive, full, options=attribution)
    utterances = build_utterances(times, texts, said, segments=segments, speakers=names, options=cutting)
    utterances = flag_suspects(utterances, times, texts, _speech_by_channel(facts.speech))
    rows = {
        "transcripts": _transcript_rows(identity, times, utterances, speakers),
        "turns": _turn_rows(identity, facts.turns, speakers),
        "fingerprints": _fingerprint_rows(facts.fingerprints, speakers),
        "coverage": _coverage_rows(identity, facts),
    }
    tables = {table: table_of(found, PARTS[table]) for table, found in rows.items()}
    return {**tables, "words": _word_table(identity, words, said, utterances, names, speakers)}


def _turn_times(turns: pa.Table, speakers: RecordingSpeakers, names: Sequence[str], *, is_exclusive: bool) -> TurnTimes:
    kept = turns.filter(pa.compute.equal(turns["is_exclusive"], is_exclusive))
    index = {name: i for i, name in enumerate(names)}
    return TurnTimes(
        start_ms=kept["start_ms"].to_numpy(),
        end_ms=kept["end_ms"].to_numpy(),
        speaker=np.array([index[speakers.of_label[key]] for key in _label_keys(kept)], np.int64),
        channel=kept["channel"].to_numpy(),
        confidence=_floats(kept["confidence"]),
    )


def _label_keys(table: pa.Table) -> list[LabelKey]:
    return list(zip(*(table[name].to_pylist() for name in ("channel", "chunk_index", "label")), strict=True))


def _segments(segments: pa.Table, words: pa.Table) -> tuple[list[Segment], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the recording's segments and the position of each word's segment among them."""
    segments = segments.sort_by([(name, "ascending") for name in ("channel", "chunk_index", "segment_index")])
    rows = segments.to_pylist()
    key_names = ("channel", "chunk_index", "segment_index")
    position = {tuple(row[name] for name in key_names): i for i, row in enumerate(rows)}
    keys = zip(*(words[name].to_pylist() for name in key_names), strict=True)
    records = [
        Segment(
            start_ms=row["start_ms"],
            end_ms=row["end_ms"],
            language=row["language"],
            confidence=row["confidence"],
            no_speech_confidence=row["no_speech_confidence"],
            flags=tuple(row["flags"]),
        )
        for row in rows
    ]
    return records, np.array([position[key] for key in keys], np.int64)


def _words(words: pa.Table, segment_of_word: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[WordTimes, WordTexts]:
    text = words["text"].to_pylist()
    times = WordTimes(
        start_ms=words["start_ms"].to_numpy(),
        end_ms=words["end_ms"].to_numpy(),
        channel=words["channel"].to_numpy(),
        ends_sentence=sentence_ends(text),
    )
    return times, WordTexts(text=text, confidence=_floats(words["confidence"]), segment=segment_of_word)


def _floats(column: pa.ChunkedArray) -> FloatArray:
    return np.array(column.to_pylist(), np.float32)  # None becomes NaN


def _transcript_rows(identity: Row, times: WordTimes, utterances: Utterances, speakers: RecordingSpeakers) -> list[Row]:
    return [
        identity
        | _utterance_row(utterance, speakers)
        | {"utterance_index": index, "channel": int(times.channel[utterance.first_word])}
        for index, utterance in enumerate(utterances.rows)
    ]


def _utterance_row(utterance: Utterance, speakers: RecordingSpeakers) -> Row:
    return {
        "start_ms": utterance.start_ms,
        "end_ms": utterance.end_ms,
        "speaker_id": _speaker_id(utterance.local_speaker, speakers),
        "local_speaker": utterance.local_speaker,
        "speaker_confidence": utterance.speaker_confidence,
        "speaker_uncertain": utterance.speaker_uncertain,
        "is_overlapped": utterance.is_overlapped,
        "text": utterance.text,
        "n_words": utterance.n_words,
        "language": utterance.language,
        "confidence": utterance.confidence,
        "no_speech_confidence": utterance.no_speech_confidence,
        "flags": list(utterance.flags),
    }


def _speaker_id(local_speaker: str | None, speakers: RecordingSpeakers) -> str | None:
    return None if local_speaker is None else speakers.speaker_id.get(local_speaker)


def _word_table(
    identity: Row,
    words: pa.Table,
    said: Attribution,
    utterances: Utterances,
    names: Sequence[str],
    speakers: RecordingSpeakers,
) -> pa.Table:
    """Return the words column by column: a long recording has so many that a Python object for each would count."""
    index, other = (pa.array(of, mask=of == NOBODY) for of in (said.speaker, said.other_speaker))
    name = pa.array(names, pa.string())
    ids = pa.array([speakers.speaker_id.get(local) for local in names], pa.string())
    columns = {
        **{column: pa.repeat(value, len(words)) for column, value in identity.items()},
        **{column: words[column] for column in ("start_ms", "end_ms", "channel", "text", "confidence")},
        "word_index": np.arange(len(words), dtype=np.int32),
        "utterance_index": utterances.of_word.astype(np.int32),
        "local_speaker": name.take(index),
        "other_speaker": name.take(other),
        "speaker_id": ids.take(index),
        "speaker_margin": pa.array(said.margin, mask=said.speaker == NOBODY),
        "speaker_reason": pa.array(REASONS, pa.string()).take(pa.array(said.reason)),
        "is_overlapped": pa.array(said.is_overlapped),
    }
    schema = PARTS["words"]
    return pa.Table.from_arrays([columns[column] for column in schema.names], schema=schema)


def _turn_rows(identity: Row, turns: pa.Table, speakers: RecordingSpeakers) -> list[Row]:
    rows = turns.select(["start_ms", "end_ms", "channel", "is_exclusive", "confidence", "flags"]).to_pylist()
    locals_ = [speakers.of_label[key] for key in _label_keys(turns)]
    complete = [
        identity | row | {"local_speaker": local, "speaker_id": _speaker_id(local, speakers)}
        for row, local in zip(rows, locals_, strict=True)
    ]
    return sorted(complete, key=lambda row: (row["start_ms"], row["end_ms"], row["channel"], row["local_speaker"]))


def _fingerprint_rows(fingerprints: pa.Table, speakers: RecordingSpeakers) -> list[Row]:
    rows = []
    for row, key in zip(fingerprints.to_pylist(), _label_keys(fingerprints), strict=True):
        local = speakers.of_label[key]
        rows.append(row | {"local_speaker": local, "speaker_id": _speaker_id(local, speakers)})
    return rows


def _coverage_rows(identity: Row, facts: RecordingTables) -> list[Row]:
    duration_ms = facts.recordings["duration_ms"].to_pylist()[0] if len(facts.recordings) else None
    if not duration_ms:
        return []
    failed = facts.failures.filter(facts.failures["start_ms"].is_valid())
    spans = cover(
        duration_ms,
        speech=_span_array(facts.speech),
        words=_span_array(facts.words),
        failed=_span_array(failed.filter(pa.compute.equal(failed["stage"], "transcribe"))),
    )
    return [
        identity | {"start_ms": start, "end_ms": end, "status": status, "stage": _STAGE_OF_STATUS[status]}
        for start, end, status in spans
    ]


_STAGE_OF_STATUS = {"speech": "transcribe", "untranscribed": "transcribe", "failed": "transcribe", "silence": "probe"}
"""The stage that decided: the detector inside probe, or the recogniser."""


def _speech_by_channel(speech: pa.Table) -> dict[int, SpanArray]:
    channels, spans = speech["channel"].to_numpy(), _span_array(speech)
    return {int(channel): spans[channels == channel] for channel in np.unique(channels)}


def _span_array(table: pa.Table) -> SpanArray:
    return np.stack([table["start_ms"].to_numpy(), table["end_ms"].to_numpy()], axis=1).astype(np.int64)
