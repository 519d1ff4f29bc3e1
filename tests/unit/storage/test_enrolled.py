import numpy as np
import pytest

from storage.decisions import new_decision, record_decision, record_undo
from storage.enrolled import EnrolledClip, delete_clips, enrolled_voices, read_clips, write_clips
from storage.lake import Lake


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def clip(*vector, speech_ms=1_000, model="m1"):
    return EnrolledClip(clip="a.wav", model=model, speech_ms=speech_ms, vector=np.array(vector, np.float32))


def enroll(lake, speaker_id, *clips):
    decision = new_decision("enroll", speaker_id, name="Ada")
    write_clips(lake, decision.decision_id, clips)
    record_decision(lake, decision)
    return decision.decision_id


def voices(lake):
    return [
        (one.model, one.speaker_id, one.speech_ms, one.vector.astype(float).round(3).tolist())
        for one in enrolled_voices(lake)
    ]


def test_nobody_is_enrolled_in_a_new_lake(lake):
    assert enrolled_voices(lake) == []


def test_clips_of_one_person_are_pooled_by_speech(lake):
    enroll(lake, "spk_a", clip(1, 0, speech_ms=3_000))
    enroll(lake, "spk_a", clip(0, 1, speech_ms=4_000))
    assert voices(lake) == [("m1", "spk_a", 7_000, [0.6, 0.8])]


def test_models_and_people_stay_apart_in_order(lake):
    enroll(lake, "spk_b", clip(1, 0), clip(0, 1, model="m2"))
    enroll(lake, "spk_a", clip(0, 1))
    assert [(model, speaker_id) for model, speaker_id, _, _ in voices(lake)] == [
        ("m1", "spk_a"),
        ("m1", "spk_b"),
        ("m2", "spk_b"),
    ]


def test_what_is_taken_back_does_not_count(lake):
    record_undo(lake, enroll(lake, "spk_a", clip(1, 0)))
    assert voices(lake) == []


def test_clips_without_their_decision_do_not_count(lake):
    write_clips(lake, "dec_never", [clip(1, 0)])
    assert voices(lake) == []


def test_people_who_were_merged_have_one_voice(lake):
    for speaker_id in ("spk_a", "spk_c", "spk_b"):
        enroll(lake, speaker_id, clip(1, 0))
    record_decision(lake, new_decision("merge", "spk_b", other_id="spk_c"))
    record_decision(lake, new_decision("merge", "spk_a", other_id="spk_c"))
    assert voices(lake) == [("m1", "spk_a", 3_000, [1.0, 0.0])]


def test_deleted_clips_are_gone(lake):
    decision_id = enroll(lake, "spk_a", clip(1, 0))
    assert [one.clip for one in read_clips(lake, decision_id)] == ["a.wav"]
    assert delete_clips(lake, decision_id)
    assert not delete_clips(lake, decision_id)
    assert (read_clips(lake, decision_id), voices(lake)) == ([], [])
