from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from storage.decisions import Decision, DecisionLog, VoiceAnchor
from storage.schemas import WHOLES, table_of
from tasks.linking.decided import Decided
from tests.made_up import fingerprints
from tests.voices import row

VOICES = {"r0": "spk_a", "r1": "spk_b", "r2": "spk_c", "r3": None}
"""Who is heard in each recording."""


def anchor(recording_id):
    return VoiceAnchor(recording_id=recording_id, channel=0, at_ms=0, chunk_index=0, label="A", recipe="recipe")


def key(recording_id):
    return recording_id, 0, 0, "A"


def decision(number, kind, ours="", theirs="", speaker_id="spk_a"):
    return Decision(
        decision_id=f"dec_{number}",
        at=datetime(2026, 1, 2, tzinfo=UTC) + timedelta(days=number),
        kind=kind,
        speaker_id=speaker_id,
        ours=tuple(map(anchor, ours.split())),
        theirs=tuple(map(anchor, theirs.split())),
    )


def decided(*decisions, undone=(), forgotten=()):
    return Decided(
        log=DecisionLog(decisions=decisions, undone=frozenset(undone)),
        event_ids=frozenset(one.decision_id for one in decisions),
        voices={anchor(name): key(name) for name in VOICES},
        forgotten={key(name): "spk_z" for name in forgotten},
    )


def published(set_aside=(), merged=()):
    rows = [{"recording_id": name, "local_speaker": "S0", "speaker_id": one} for name, one in VOICES.items()]
    labels = [{**one, "channel": 0, "chunk_index": 0, "label": "A"} for one in rows]
    tables = {
        "local_speakers": table_of(labels, WHOLES["local_speakers"]),
        "links": table_of([{**one, "speech_ms": 1_000} for one in rows], WHOLES["links"]),
        "speakers": pa.table(
            {"speaker_id": [one for one, _ in merged], "merged_into": [other for _, other in merged]},
            pa.schema([("speaker_id", pa.string()), ("merged_into", pa.string())]),
        ),
        "decided": table_of(
            [
                {"decision_id": f"dec_{number}", "n_lost": 0, "set_aside": "earlier" if number in set_aside else None}
                for number in range(5)
            ],
            WHOLES["decided"],
        ),
    }
    return SimpleNamespace(table=tables.__getitem__, links=tables["links"], speakers=tables["speakers"])


def pairs(*given):
    return [(frozenset(ours.split()), frozenset(theirs.split())) for ours, theirs in given]


def test_nobody_was_said_to_be_different_where_nothing_was_decided():
    assert decided().different_people(SimpleNamespace()) == []


@pytest.mark.parametrize("kind", ["split", "forbid"])
def test_who_was_said_to_be_different_is_found_by_published_ids(kind):
    found = decided(decision(0, kind, "r0 r3", "r1 r2"), decision(1, "merge", "r1", "r2"))
    assert found.different_people(published()) == pairs(("spk_a", "spk_b spk_c"))


def test_what_was_set_aside_or_taken_back_or_is_lost_says_nothing():
    found = decided(decision(0, "forbid", "r0", "r1"), decision(1, "forbid", "r0", "r2"), undone=["dec_1"])
    assert found.different_people(published(set_aside=[0])) == []
    assert decided(decision(0, "forbid", "gone", "r1")).different_people(published()) == pairs(("", "spk_b"))


def test_those_who_are_enrolled_are_different_under_the_ids_that_they_have_now():
    enrolments = [decision(at, "enroll", speaker_id=one) for at, one in enumerate(["spk_x", "spk_y", "spk_x", "spk_q"])]
    found = decided(*enrolments).different_people(published(merged=[("spk_y", "spk_a"), ("spk_x", None)]))
    assert found == pairs(("spk_a", "spk_q spk_x"), ("spk_q", "spk_x"))


def test_who_was_forgotten_is_seen_among_what_is_new():
    labels = fingerprints([row("r0", "A", None), row("r1", "B", None)])
    assert decided(forgotten=["r0"]).has_forgotten(labels)
    assert not decided(forgotten=["r1"]).has_forgotten(labels)
    assert not decided().has_forgotten(labels)
