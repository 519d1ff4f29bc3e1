"""What people decide about speakers: recorded, found again, published, forgotten."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from flows.local import relink
from storage.decisions import new_decision, read_log, record_decision
from storage.enrolled import enrolled_voices, read_clips
from storage.errors import ConfigError
from storage.lake import Lake
from storage.schemas import FACTS, WHOLES, table_of
from tasks.audio.chunking import ChunkOptions
from tasks.linking.decided import read_decided
from tasks.linking.forgotten import erase_forgotten
from tasks.people.changes import changed_speakers, published_speakers
from tasks.people.decide import forbid_speakers, merge_speakers, split_speaker, undo_decision
from tasks.people.enroll import enroll_speaker, outdated_enrolments
from tasks.people.forget import forget_speaker
from tasks.people.lists import decision_rows, name_person, speaker_rows
from tasks.people.show import show_speaker
from tasks.people.who import find_speaker, known_speakers
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import latest_plan, write_plan
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import EngineChoice
from tasks.publishing.select import select_recordings
from tasks.stages.run_shard import run_shard
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav
from tests.tones import spoken, tone_clip

CANONICAL = [(name, "ascending") for name in ("recording_id", "channel", "chunk_index", "label")]


@pytest.fixture
def archive(tmp_path):
    """Three recordings: 300 and 900 Hz, 900 and 1500 Hz, 1500 and 2100 Hz."""
    return write_archive(tmp_path / "archive")


@pytest.fixture
def lake(archive, tmp_path):
    run_whole(fake_spec(archive, tmp_path / "lake"))
    return str(tmp_path / "lake")


def speaker_of(lake, voice_hz, source="%"):
    """Return who a voice is, in the recordings of that name."""
    ((speaker_id,),) = query(
        lake, f"SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v{voice_hz}x%' AND source LIKE '{source}'"
    )
    return speaker_id


def voice_of(vector):
    """Return the tone in Hz that a fingerprint is of; None where there is none."""
    return None if vector is None else 100 * int(np.argmax(vector)) + 200


def found_decisions(lake):
    """Return the decisions as the link stage would find them, and its fingerprints."""
    opened = Lake(lake)
    state = opened.state()
    selected = select_recordings(opened, state, latest_plan(lake))
    keys = [key for one in selected for key in one.keys("fingerprint")]
    labels = opened.facts("fingerprints", state, keys).sort_by(CANONICAL)
    return read_decided(opened, state, selected), labels


def decided_now(lake):
    """Return the same, and the local speakers as they are published."""
    opened = Lake(lake)
    rows = opened.whole(opened.latest_publication(), "local_speakers").sort_by(CANONICAL).to_pylist()
    names = [(row["recording_id"], row["local_speaker"]) for row in rows]
    number = {name: row for row, name in enumerate(sorted(set(names)))}
    return *found_decisions(lake), SimpleNamespace(of_label=np.array([number[name] for name in names]))


def constrained_voices(lake):
    """Return what the decisions say of voices, in Hz, whatever rows they have."""
    decided, labels, local = decided_now(lake)
    constraints, set_aside = decided.constraints(labels, local)
    vectors = labels["vector"].to_pylist()
    heard = {int(row): voice_of(vector) for row, vector in zip(local.of_label, vectors, strict=True) if vector}

    def in_hz(rows):
        return sorted(heard[row] for row in rows.tolist())

    together = sorted(map(in_hz, constraints.together))
    return together, sorted((in_hz(a), in_hz(b)) for a, b in constraints.apart), set_aside


# ---- decisions are about voices


def test_a_lake_without_decisions_constrains_nothing(lake):
    decided, labels, local = decided_now(lake)
    constraints, set_aside = decided.constraints(labels, local)
    assert (constraints.together, constraints.apart, len(constraints.forgotten), set_aside) == ((), (), 0, ())
    assert decided.forget(labels) == (labels, 0)
    assert decided.rows(set_aside) == []
    assert query(lake, "FROM decisions") == []


def test_a_merge_is_about_all_voices_of_both(lake):
    merge_speakers(lake, speaker_of(lake, 900), speaker_of(lake, 2100))
    assert constrained_voices(lake) == ([[900, 900, 2100]], [], ())


def test_a_split_takes_voices_out_of_a_speaker(lake):
    split_speaker(lake, speaker_of(lake, 900), ["rec 1.wav"])
    assert constrained_voices(lake) == ([], [([900], [900])], ())


def test_a_split_can_name_local_speakers(lake):
    speaker_id = speaker_of(lake, 900)
    ((local_speaker,),) = query(
        lake, f"SELECT local_speaker FROM links JOIN recordings USING (recording_id) "
        f"WHERE source = 'rec 1.wav' AND speaker_id = '{speaker_id}'"
    )  # fmt: skip
    other = {"S0": "S1", "S1": "S0"}[local_speaker]
    with pytest.raises(ConfigError, match="is not heard there"):
        split_speaker(lake, speaker_id, ["rec 1.wav"], [other])
    decision = split_speaker(lake, speaker_id, ["rec 1.wav"], [local_speaker])
    assert (len(decision.ours), len(decision.theirs)) == (1, 1)


def test_what_is_taken_back_constrains_nothing(lake):
    decision = forbid_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 900))
    assert constrained_voices(lake) == ([], [([300], [900, 900])], ())
    assert undo_decision(lake, decision.decision_id) == decision
    assert constrained_voices(lake) == ([], [], ())
    ((is_undone,),) = query(lake, "SELECT is_undone FROM decisions")
    assert is_undone


@pytest.fixture
def long_archive(tmp_path):
    """Two voices that take turns for a minute, and the second of them elsewhere."""
    turns = [sound for i in range(20) for sound in spoken(500 + 3_000 * i, (300, 900)[i % 2], 6)]
    write_wav(tmp_path / "long archive" / "long.wav", tone_clip(61_000, turns))
    write_wav(tmp_path / "long archive" / "short.wav", conversation(900, 1500))
    return tmp_path / "long archive"


def test_decisions_survive_other_chunks_and_another_diarizer(long_archive, tmp_path):
    lake = str(tmp_path / "lake")
    run_whole(fake_spec(long_archive, lake))
    merge_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 1500))
    forbid_speakers(lake, speaker_of(lake, 900), speaker_of(lake, 1500))
    before = constrained_voices(lake)
    assert before == ([[300, 1500]], [([900, 900], [1500])], ())
    chunking = ChunkOptions(target_ms=10_000, max_ms=12_500, min_ms=2_000)
    run_whole(fake_spec(long_archive, lake, chunking=chunking))
    assert constrained_voices(lake) == before
    diarizer = EngineChoice(name="fake", options={"max_gap_ms": 50})
    run_whole(fake_spec(long_archive, lake, chunking=chunking, diarizer=diarizer))
    assert constrained_voices(lake) == before


def decide_at_a_silent_moment(lake):
    """Record that 900 Hz is 2100 Hz, as if a diarizer had once heard 900 Hz where nobody is heard now."""
    merge = merge_speakers(lake, speaker_of(lake, 900), speaker_of(lake, 2100))
    undo_decision(lake, merge.decision_id)
    silent = tuple(replace(anchor, at_ms=10**9, recipe="another") for anchor in merge.ours)
    record_decision(Lake(lake), new_decision("merge", "spk_a", other_id="spk_b", ours=silent, theirs=merge.theirs))


def test_a_moment_at_which_nobody_is_heard_any_more_is_counted(lake):
    decide_at_a_silent_moment(lake)
    decided, _, _ = decided_now(lake)
    assert decided.n_lost == 2
    assert sorted(row["n_lost"] for row in decided.rows(())) == [0, 0, 2]
    assert constrained_voices(lake) == ([], [], ())


# ---- who is meant, and what is refused


def test_a_speaker_may_be_meant_by_name_and_by_an_id_that_was_merged(lake):
    ada = speaker_of(lake, 300)
    name_person(lake, ada, "Ada")
    assert find_speaker(lake, "Ada") == ada
    name_person(lake, speaker_of(lake, 900), "Ada")
    with pytest.raises(ConfigError, match="is the name of spk_"):
        find_speaker(lake, "Ada")
    with pytest.raises(ConfigError, match="is not in the lake"):
        find_speaker(lake, "spk_nobody")


def test_decisions_about_one_and_the_same_speaker_are_refused(lake):
    speaker_id = speaker_of(lake, 900)
    for decide in (merge_speakers, forbid_speakers):
        with pytest.raises(ConfigError, match="are one speaker"):
            decide(lake, speaker_id, speaker_id)


def test_a_split_that_takes_nothing_or_everything_is_refused(lake):
    speaker_id = speaker_of(lake, 900)
    with pytest.raises(ConfigError, match="is not heard there"):
        split_speaker(lake, speaker_id, ["rec 2.wav"])
    with pytest.raises(ConfigError, match="nobody would be left"):
        split_speaker(lake, speaker_id, ["rec 0.wav", "rec 1.wav"])
    with pytest.raises(ConfigError, match=r"no such\.wav"):
        split_speaker(lake, speaker_id, ["no such.wav"])
    assert query(lake, "SELECT count(*) FROM decisions") == [(0,)]


def test_a_decision_that_contradicts_another_is_refused_until_that_is_taken_back(lake):
    one, other = speaker_of(lake, 300), speaker_of(lake, 900)
    forbid = forbid_speakers(lake, one, other)
    with pytest.raises(ConfigError, match="different people") as refusal:
        merge_speakers(lake, one, other)
    assert forbid.decision_id in str(refusal.value)
    undo_decision(lake, forbid.decision_id)
    merge = merge_speakers(lake, one, other)
    with pytest.raises(ConfigError, match=merge.decision_id):
        forbid_speakers(lake, one, other)


def test_a_decision_is_taken_back_once(lake):
    decision = forbid_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 900))
    undo_decision(lake, decision.decision_id)
    with pytest.raises(ConfigError, match="taken back already"):
        undo_decision(lake, decision.decision_id)
    with pytest.raises(ConfigError, match="is not in the lake"):
        undo_decision(lake, "dec_nothing")


def test_those_who_are_merged_share_the_name_that_one_of_them_has(lake):
    one, other = speaker_of(lake, 300), speaker_of(lake, 900)
    name_person(lake, other, "Grace")
    merge_speakers(lake, one, other)
    assert Lake(lake).names() == {one: "Grace", other: "Grace"}


def test_a_decision_is_something_to_do_for_the_next_run(lake, archive):
    assert plan_run(fake_spec(archive, lake)).is_current
    decision = forbid_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 900))
    assert not plan_run(fake_spec(archive, lake)).is_current
    assert query(lake, "SELECT n_lost FROM decisions") == [(None,)]
    undo_decision(lake, decision.decision_id)
    assert not plan_run(fake_spec(archive, lake)).is_current


# ---- enroll


@pytest.fixture
def clips(tmp_path):
    sound = [*spoken(200, 900, 20), *spoken(8_000, 900, 20)]
    left, right = tone_clip(14_000, sound), tone_clip(14_000, [])
    write_wav(tmp_path / "clips" / "grace.wav", left, right)
    write_wav(tmp_path / "clips" / "short.wav", tone_clip(3_000, spoken(200, 900, 3)))
    (tmp_path / "clips" / "letter.txt").write_text("no audio")
    return tmp_path / "clips"


def test_a_clip_becomes_the_voice_of_somebody_new(lake, clips):
    enrolment = enroll_speaker(lake, "Grace", [str(clips / "grace.wav"), str(clips / "short.wav")])
    (voice,) = enrolled_voices(Lake(lake))
    assert voice.speaker_id == enrolment.decision.speaker_id
    assert voice.model == RecipeBook(latest_plan(lake).spec).embedder_model()
    assert voice_of(voice.vector) == 900
    assert 10_000 < voice.speech_ms < 14_000
    assert len(enrolment.problems) == 1
    assert "short.wav" in enrolment.problems[0]
    assert find_speaker(lake, "Grace") == voice.speaker_id
    assert voice.speaker_id not in {row[0] for row in query(lake, "SELECT speaker_id FROM speakers")}


def test_clips_can_be_given_to_somebody_who_is_there(lake, clips):
    grace = speaker_of(lake, 900)
    enroll_speaker(lake, "Grace", [str(clips / "grace.wav")], speaker=grace)
    enroll_speaker(lake, "Grace", [str(clips / "grace.wav")], speaker="Grace")
    assert [voice.speaker_id for voice in enrolled_voices(Lake(lake))] == [grace]
    assert Lake(lake).names() == {grace: "Grace"}
    shown = show_speaker(lake, "Grace")
    assert [(row["clip"], row["counts"]) for row in shown["enrolments"]] == 2 * [("grace.wav", True)]


def test_a_name_is_not_given_to_a_second_person(lake, clips):
    name_person(lake, speaker_of(lake, 300), "Grace")
    with pytest.raises(ConfigError, match="--speaker spk_"):
        enroll_speaker(lake, "Grace", [str(clips / "grace.wav")])


@pytest.mark.parametrize("given", [["short.wav"], ["letter.txt"], ["nothing.wav"], ["short.wav", "nothing.wav"], []])
def test_clips_that_are_no_good_enroll_nobody(lake, clips, given):
    with pytest.raises(ConfigError) as refusal:
        enroll_speaker(lake, "Grace", [str(clips / name) for name in given])
    assert all(name in str(refusal.value) for name in given)
    assert read_log(Lake(lake)).decisions == ()
    assert Lake(lake).names() == {}


def test_clips_of_another_model_are_to_be_enrolled_again(lake, clips):
    enrolment = enroll_speaker(lake, "Grace", [str(clips / "grace.wav")])
    assert outdated_enrolments(lake) == []
    path = Path(lake) / "enrolled" / f"{enrolment.decision.decision_id}.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.set_column(1, rows.schema.field(1), [["another"]]), path)
    assert [row["clip"] for row in outdated_enrolments(lake)] == ["grace.wav"]


def test_what_is_enrolled_can_be_taken_back(lake, clips):
    enrolment = enroll_speaker(lake, "Grace", [str(clips / "grace.wav")])
    undo_decision(lake, enrolment.decision.decision_id)
    assert enrolled_voices(Lake(lake)) == []
    assert outdated_enrolments(lake) == []


# ---- forget


def all_vectors(lake):
    """Return every vector in every Parquet file of a lake, as (file, voice in Hz)."""
    found = []
    for path in sorted(Path(lake).rglob("*.parquet")):
        table = pq.ParquetFile(path).read()
        if "vector" in table.column_names:
            found += [(path.name, voice_of(vector)) for vector in table["vector"].to_pylist() if vector]
    return found


def files_with(lake, text):
    return [path for path in Path(lake).rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def forget_history(archive, lake, clips):
    """Make a lake in which the voice at 900 Hz is everywhere that it can be; return who that is."""
    long_before = EngineChoice(name="fake", options={"max_gap_ms": 20})
    run_whole(fake_spec(archive, lake, diarizer=long_before))
    run_whole(fake_spec(archive, lake))
    write_wav(archive / "rec 9.wav", conversation(900, 2700))
    run_whole(fake_spec(archive, lake))
    grace = speaker_of(lake, 900)
    name_person(lake, grace, "Grace")
    name_person(lake, grace, "Grace Hopper")
    enroll_speaker(lake, "Grace Hopper", [str(clips / "grace.wav")], speaker=grace)
    return grace


def test_nothing_is_left_of_somebody_who_was_forgotten(archive, tmp_path, clips):
    lake = str(tmp_path / "lake")
    grace = forget_history(archive, lake, clips)
    texts = query(lake, "SELECT source, start_ms, text FROM words ORDER BY ALL")
    before = all_vectors(lake)
    theirs = [name for name, voice in before if voice == 900]
    assert len(files_with(lake, "Grace")) == 3
    forgotten = forget_speaker(lake, "Grace Hopper")
    assert files_with(lake, "Grace") == []
    assert all_vectors(lake) == [(name, voice) for name, voice in before if voice != 900]
    erased = forgotten.erased
    assert (erased.n_names, erased.n_enrolments) == (2, 1)
    assert erased.n_fingerprints == len(theirs) - 1  # one of them was enrolled
    assert erased.n_files == len(set(theirs)) - 1
    assert query(lake, "SELECT source, start_ms, text FROM words ORDER BY ALL") == texts
    assert len(forgotten.decision.ours) == 3
    with pytest.raises(ConfigError, match="was forgotten"):
        find_speaker(lake, grace)
    with pytest.raises(ConfigError, match="cannot be taken back"):
        undo_decision(lake, forgotten.decision.decision_id)


def test_forgetting_twice_finds_nothing(archive, tmp_path, clips):
    lake = str(tmp_path / "lake")
    grace = forget_history(archive, lake, clips)
    first = forget_speaker(lake, grace)
    again = forget_speaker(lake, grace)
    assert again.decision == first.decision
    assert again.erased == erase_forgotten(Lake(lake), Lake(lake).state())
    assert (again.erased.n_fingerprints, again.erased.n_files, again.erased.n_names) == (0, 0, 0)


def test_files_of_a_run_that_was_killed_are_erased_too(lake):
    opened = Lake(lake)
    name = opened.store.list("commits")[0].removesuffix(".json")
    for table in ("turns", "fingerprints"):
        facts = opened.store.read_table(f"facts/{table}/{name}.parquet", FACTS[table])
        opened.store.write_table(f"facts/{table}/{name}-killed.parquet", facts)
    forget_speaker(lake, speaker_of(lake, 900))
    assert not [voice for _, voice in all_vectors(lake) if voice == 900]
    assert [voice for _, voice in all_vectors(lake) if voice == 1500]


def test_somebody_is_forgotten_in_every_chunk_whatever_chunks_there_were(long_archive, tmp_path):
    lake, small = str(tmp_path / "lake"), ChunkOptions(target_ms=10_000, max_ms=12_500, min_ms=2_000)
    run_whole(fake_spec(long_archive, lake, chunking=small))
    run_whole(fake_spec(long_archive, lake))
    assert len([voice for _, voice in all_vectors(lake) if voice == 300]) > 10
    forgotten = forget_speaker(lake, speaker_of(lake, 300))
    assert len(forgotten.decision.ours) == 1
    assert {voice for _, voice in all_vectors(lake)} == {900, 1500}


def test_new_facts_of_somebody_who_was_forgotten_are_found_in_every_chunk(long_archive, tmp_path):
    lake, small = str(tmp_path / "lake"), ChunkOptions(target_ms=10_000, max_ms=12_500, min_ms=2_000)
    run_whole(fake_spec(long_archive, lake))
    forget_speaker(lake, speaker_of(lake, 300))
    plan = plan_run(fake_spec(long_archive, lake, chunking=small))
    write_plan(plan)
    for index in range(len(plan.shards)):
        run_shard(lake, plan.spec.run_id, index)
    decided, labels = found_decisions(lake)
    n_theirs = [voice_of(vector) for vector in labels["vector"].to_pylist()].count(300)
    cleaned, n_vectors = decided.forget(labels)
    assert n_vectors == n_theirs > 4
    assert cleaned["vector"].null_count == labels["vector"].null_count + n_theirs
    constraints, _ = decided.constraints(cleaned, SimpleNamespace(of_label=np.arange(len(labels))))
    assert len(constraints.forgotten) == n_theirs
    assert set(decided.forgotten.values()) == {decided.log.decisions[0].speaker_id}
    assert erase_forgotten(Lake(lake), Lake(lake).state()).n_fingerprints == n_theirs
    assert {voice for _, voice in all_vectors(lake)} == {900, 1500}


def test_what_a_killed_writer_left_is_deleted_unless_it_may_be_at_work(lake):
    old, new = (Path(lake) / "facts" / "fingerprints" / f".tmp-{name}" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"a vector, maybe")
    os.utime(old, (0, 0))
    forget_speaker(lake, speaker_of(lake, 900))
    assert (old.exists(), new.exists()) == (False, True)


def test_facts_of_the_first_versions_are_erased_too(archive, tmp_path):
    lake = str(tmp_path / "lake")
    run_whole(fake_spec(archive, lake, diarizer=EngineChoice(name="fake", options={"max_gap_ms": 20})))
    later_columns = {"fingerprints": ["start_ms", "turn_ms"], "turns": ["flags"]}
    for table, columns in later_columns.items():
        for path in (Path(lake) / "facts" / table).iterdir():
            pq.write_table(pq.ParquetFile(path).read().drop_columns(columns), path)
    run_whole(fake_spec(archive, lake))
    forget_speaker(lake, speaker_of(lake, 900))
    assert {voice for _, voice in all_vectors(lake)} == {300, 1500, 2100}


def test_ids_that_were_merged_are_forgotten_with_their_names(lake):
    opened = Lake(lake)
    publication = opened.latest_publication()
    ada, grace = speaker_of(lake, 300), speaker_of(lake, 900)
    speakers = opened.whole(publication, "speakers").to_pylist()
    for row in speakers:
        row["merged_into"] = grace if row["speaker_id"] == ada else None
    opened.store.write_table(publication.wholes["speakers"], table_of(speakers, WHOLES["speakers"]))
    opened.name_speaker(ada, "Ada Lovelace")
    assert find_speaker(lake, "Ada Lovelace") == grace
    assert forget_speaker(lake, grace).erased.n_names == 1
    assert files_with(lake, "Lovelace") == []


def test_whoever_was_said_to_be_the_same_person_is_forgotten_with_them(lake):
    ada, grace, henry = (speaker_of(lake, voice_hz) for voice_hz in (300, 900, 2100))
    merge_speakers(lake, ada, grace)
    merge_speakers(lake, grace, henry)
    assert len(forget_speaker(lake, ada).decision.ours) == 4
    assert {voice for _, voice in all_vectors(lake)} == {1500}


def test_clips_of_an_enrolment_that_was_stopped_are_deleted(lake, clips):
    enrolment = enroll_speaker(lake, "Grace", [str(clips / "grace.wav")])
    Lake(lake).store.delete(f"decisions/{enrolment.decision.decision_id}.json")
    forget_speaker(lake, speaker_of(lake, 300))
    assert Lake(lake).store.list("enrolled") == []


def test_others_of_the_same_name_are_named(lake):
    ada, grace = speaker_of(lake, 300), speaker_of(lake, 900)
    for one in (ada, grace):
        name_person(lake, one, "Grace")
    assert forget_speaker(lake, grace).namesakes == (ada,)


def test_transcripts_without_somebody_who_was_forgotten(lake, archive):
    forget_speaker(lake, speaker_of(lake, 900))
    relink(lake)
    assert query(lake, "SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v900x%'") == [(None,)]
    assert query(lake, "SELECT count(*) FROM words WHERE speaker_id IS NOT NULL AND text NOT LIKE 'v900x%'") != [(0,)]


# ---- what people are shown


def test_a_speaker_is_shown_with_everything_about_them(lake):
    grace = speaker_of(lake, 900)
    name_person(lake, grace, "Grace")
    decision = forbid_speakers(lake, "Grace", speaker_of(lake, 300))
    shown = show_speaker(lake, "Grace")
    assert (shown["speaker"]["speaker_id"], shown["speaker"]["name"], shown["speaker"]["recordings"]) == (
        grace,
        "Grace",
        2,
    )
    assert [row["source"] for row in shown["recordings"]] == ["rec 0.wav", "rec 1.wav"]
    assert all(row["seconds"] > 1 for row in shown["recordings"])
    assert [row["decision_id"] for row in shown["decisions"]] == [decision.decision_id]
    assert all(row["confidence"] < 0.5 for row in shown["neighbours"])
    assert shown["enrolments"] == []
    json.dumps(shown, default=str)


def test_decisions_are_a_view(lake):
    one, other = speaker_of(lake, 900), speaker_of(lake, 300)
    decision = forbid_speakers(lake, one, other)
    (row,) = decision_rows(lake)
    assert row["at"] == decision.at
    del row["at"]
    assert row == {
        "decision_id": decision.decision_id,
        "kind": "forbid",
        "speaker_id": one,
        "other_id": other,
        "name": None,
        "n_ours": 2,
        "n_theirs": 1,
        "is_undone": False,
        "n_lost": None,
        "set_aside": None,
    }


def test_who_is_heard_little_or_nowhere_is_listed_only_if_asked_for(lake):
    forget_speaker(lake, speaker_of(lake, 900))
    relink(lake)
    assert [row["status"] for row in speaker_rows(lake)] == ["person"]
    everybody = [row["status"] for row in speaker_rows(lake, is_all=True)]
    assert sorted(everybody) == ["forgotten", "fragment", "fragment", "person"]


def test_changes_are_who_is_heard_in_more_or_less(lake, archive):
    before = published_speakers(lake)
    assert changed_speakers(before, before) == []
    write_wav(archive / "rec 9.wav", conversation(300, 2700))
    run_whole(fake_spec(archive, lake))
    rows = changed_speakers(before, published_speakers(lake))
    assert {(row["recordings_before"], row["recordings"]) for row in rows} == {(0, 1), (1, 2)}


# ---- what the link stage makes of decisions


def test_those_who_are_merged_have_one_id(lake):
    one, other = speaker_of(lake, 300), speaker_of(lake, 2100)
    merge_speakers(lake, one, other)
    relink(lake)
    assert speaker_of(lake, 300) == speaker_of(lake, 2100)
    assert query(lake, "SELECT n_lost, set_aside FROM decisions") == [(0, None)]
    known = known_speakers(Lake(lake))
    assert known.find(one) == known.find(other) == speaker_of(lake, 300)
    assert show_speaker(lake, one)["formerly"] == sorted({one, other} - {known.find(one)})


def test_those_who_are_taken_out_are_somebody_else(lake):
    speaker_id = speaker_of(lake, 900)
    split_speaker(lake, speaker_id, ["rec 1.wav"])
    relink(lake)
    assert {speaker_of(lake, 900, "rec 0%"), speaker_of(lake, 900, "rec 1%")} > {speaker_id}
    assert speaker_of(lake, 900, "rec 0%") != speaker_of(lake, 900, "rec 1%")


def test_what_is_taken_back_is_linked_as_before(lake):
    before = query(lake, "SELECT source, word_index, dense_rank() OVER (ORDER BY speaker_id) FROM words ORDER BY ALL")
    decision = split_speaker(lake, speaker_of(lake, 900), ["rec 1.wav"])
    relink(lake)
    undo_decision(lake, decision.decision_id)
    relink(lake)
    assert len(set(query(lake, "SELECT speaker_id FROM words"))) == len({rank for _, _, rank in before})
    assert speaker_of(lake, 900) is not None


def test_decisions_hold_for_recordings_that_come_later(lake, archive):
    one, other = speaker_of(lake, 300), speaker_of(lake, 900)
    merge_speakers(lake, one, other)
    write_wav(archive / "rec 9.wav", conversation(300, 2700))
    run_whole(fake_spec(archive, lake))
    assert speaker_of(lake, 300, "rec 9%") == speaker_of(lake, 900)


def test_a_decision_counts_once_it_is_published(lake, archive):
    forbid_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 900))
    relink(lake)
    assert plan_run(fake_spec(archive, lake)).is_current
    assert query(lake, "SELECT n_lost, set_aside FROM decisions") == [(0, None)]


def test_of_two_decisions_made_at_once_the_later_is_set_aside(lake):
    one, other = speaker_of(lake, 300), speaker_of(lake, 2100)
    merge = merge_speakers(lake, one, other)
    record_decision(Lake(lake), new_decision("forbid", one, other_id=other, ours=merge.ours, theirs=merge.theirs))
    relink(lake)
    found = query(lake, 'SELECT kind, set_aside FROM decisions ORDER BY "at"')
    assert found[0] == ("merge", None)
    assert found[1][0] == "forbid"
    assert merge.decision_id in found[1][1]
    assert speaker_of(lake, 300) == speaker_of(lake, 2100)


def test_a_moment_that_is_lost_is_reported(lake):
    decide_at_a_silent_moment(lake)
    relink(lake)
    assert query(lake, "SELECT n_lost FROM decisions WHERE NOT is_undone") == [(2,)]


def test_somebody_who_was_forgotten_is_not_found_in_new_facts(lake, archive):
    forget_speaker(lake, speaker_of(lake, 900))
    other = EngineChoice(name="fake", options={"max_gap_ms": 100})
    run_whole(fake_spec(archive, lake, diarizer=other))
    assert not [voice for _, voice in all_vectors(lake) if voice == 900]
    assert query(lake, "SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v900x%'") == [(None,)]
    assert {reason for (reason,) in query(lake, "SELECT reason FROM links WHERE speaker_id IS NULL")} == {"forgotten"}


def test_somebody_who_was_enrolled_is_recognised(lake, clips):
    before = speaker_of(lake, 900)
    enrolment = enroll_speaker(lake, "Grace", [str(clips / "grace.wav")])
    relink(lake)
    assert speaker_of(lake, 900) == before
    assert known_speakers(Lake(lake)).find(enrolment.decision.speaker_id) == before
    assert {name for (name,) in query(lake, "SELECT speaker_name FROM transcripts WHERE text LIKE '%v900x%'")} >= {
        "Grace"
    }


def test_decisions_do_not_depend_on_shards(archive, tmp_path):
    lakes = [str(tmp_path / name) for name in ("one", "other")]
    for lake, minutes in zip(lakes, (0.001, 5.0), strict=True):
        run_whole(fake_spec(archive, lake, shard_minutes=minutes, commit_minutes=0.0))
        merge_speakers(lake, speaker_of(lake, 300), speaker_of(lake, 2100))
        relink(lake)
    views = ("transcripts", "words", "turns", "links", "speakers")
    assert lake_rows(lakes[0], views) == lake_rows(lakes[1], views)


def test_clips_are_kept_with_their_decision(lake, clips):
    enrolment = enroll_speaker(lake, "Grace", [str(clips / "grace.wav")])
    assert read_clips(Lake(lake), enrolment.decision.decision_id) == list(enrolment.clips)
