import json
from datetime import UTC, datetime, timedelta

import pytest

from storage.decisions import (
    Decision,
    VoiceAnchor,
    event_ids,
    forget_name,
    new_decision,
    read_log,
    record_decision,
    record_undo,
)
from storage.lake import Lake

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ANCHOR = VoiceAnchor(recording_id="r", channel=1, at_ms=1234, chunk_index=2, label="V0", recipe="d")


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def decision(number, **changes):
    fields = {"kind": "merge", "speaker_id": "spk_a", "other_id": "spk_b", "ours": (ANCHOR,), "theirs": (ANCHOR,)}
    return Decision(decision_id=f"dec_{number}", at=AT + timedelta(seconds=number), **{**fields, **changes})


def test_a_lake_without_decisions_has_an_empty_log(lake):
    log = read_log(lake)
    assert (log.decisions, log.undone, log.standing, event_ids(lake)) == ((), frozenset(), (), frozenset())


def test_what_was_decided_is_read_as_it_was_oldest_first(lake):
    decided = [decision(number, kind=kind) for number, kind in enumerate(("merge", "split", "forbid", "forget"))]
    for one in reversed(decided):
        record_decision(lake, one)
    assert read_log(lake).decisions == tuple(decided)


def test_what_is_taken_back_stays_in_the_log(lake):
    for number in range(2):
        record_decision(lake, decision(number))
    record_undo(lake, "dec_0")
    log = read_log(lake)
    assert [one.decision_id for one in log.decisions] == ["dec_0", "dec_1"]
    assert [one.decision_id for one in log.standing] == ["dec_1"]
    assert [one.decision_id for one in log.of_kind("merge")] == ["dec_1"]
    assert log.of_kind("split") == ()
    assert len(event_ids(lake)) == 3


def test_a_name_can_be_taken_out_of_a_decision(lake):
    named = decision(0, kind="enroll", other_id=None, name="Ada Miller")
    record_decision(lake, named)
    forget_name(lake, named)
    (read,) = read_log(lake).decisions
    assert (read.name, read.speaker_id, read.at) == (None, "spk_a", named.at)
    assert b"Ada" not in lake.store.read("decisions/dec_0.json")


def test_every_decision_has_an_id_of_its_own(lake):
    ids = {new_decision("forget", "spk_a").decision_id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) == len("dec_") + 10 for one in ids)


def test_decisions_are_plain_json(lake):
    record_decision(lake, decision(7))
    assert json.loads(lake.store.read("decisions/dec_7.json")) == {
        "decision_id": "dec_7",
        "at": "2026-01-02T03:04:12.678901+00:00",
        "kind": "merge",
        "speaker_id": "spk_a",
        "other_id": "spk_b",
        "name": None,
        "ours": [{"recording_id": "r", "channel": 1, "at_ms": 1234, "chunk_index": 2, "label": "V0", "recipe": "d"}],
        "theirs": [{"recording_id": "r", "channel": 1, "at_ms": 1234, "chunk_index": 2, "label": "V0", "recipe": "d"}],
    }
    assert str(decision(7)) == "merge of spk_a and spk_b (dec_7, 2026-01-02)"
