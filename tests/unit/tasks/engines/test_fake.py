import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import ConfigError, EngineError, EngineOutOfMemory, is_transient
from storage.records import ClipContext, Span, SpeakerBounds
from tasks.engines.fake import FakeDetector, FakeDiarizer, FakeEmbedder, FakeTranscriber
from tasks.engines.fake_journal import Noted, read_journal
from tests.tones import all_speech, spoken, tone_clip


def transcribe(clip, speech=None, **options):
    context = ClipContext(speech=all_speech(clip) if speech is None else speech)
    return FakeTranscriber.from_options(options, device="cpu").transcribe([clip], [context])[0]


def diarize(clip, bounds=None, **options):
    context = ClipContext(speech=all_speech(clip), speakers=bounds or SpeakerBounds())
    return FakeDiarizer.from_options(options, device="cpu").diarize([clip], [context])[0]


def embed(*clips):
    return FakeEmbedder.from_options({}, device="cpu").embed(clips)


bursts_of_one_voice = st.lists(
    st.tuples(st.integers(3, 40), st.integers(1, 60), st.integers(2, 38)), min_size=1, max_size=12
)


@given(bursts_of_one_voice)
def test_every_burst_on_the_grid_is_one_word_at_its_exact_time(bursts):
    sounds, now = [], 0
    for length, gap, voice in bursts:
        sounds.append((now + gap * 10, now + (gap + length) * 10, voice * 100))
        now = sounds[-1][1]
    heard = transcribe(tone_clip(now + 100, sounds)).words
    assert [(word.start_ms, word.end_ms) for word in heard] == [sound[:2] for sound in sounds]
    assert [word.text.split("x")[0] for word in heard] == [f"v{sound[2]}" for sound in sounds]
    assert all(word.confidence == 1 for word in heard)


def test_words_say_voice_and_length_and_overlap(dialogue):
    heard = transcribe(dialogue)
    assert len(heard.words) == 17
    assert heard.words[0].text == "v400x4"
    assert {word.confidence < 1 for word in heard.words if 5000 <= word.start_ms < 5400} == {True}
    assert [segment.start_ms for segment in heard.segments] == [500, 2000, 4000]
    assert heard.segments[-1].end_ms == max(word.end_ms for word in heard.words)


def test_the_transcriber_listens_only_where_there_is_speech(dialogue):
    heard = transcribe(dialogue, speech=(Span(start_ms=0, end_ms=1900),))
    assert {word.text for word in heard.words} == {"v400x4"}
    assert transcribe(dialogue, speech=()).words == ()


def test_the_detector_closes_short_gaps(dialogue):
    detector = FakeDetector.from_options({}, device="cpu")
    assert [(span.start_ms, span.end_ms) for span in detector.detect(dialogue)] == [
        (500, 1480),
        (2000, 3240),
        (4000, 5500),
    ]
    patient = FakeDetector.from_options({"min_silence_ms": 800}, device="cpu")
    assert len(patient.detect(dialogue)) == 1


def test_noise_is_speech_without_a_reliable_voice():
    noise = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    assert FakeDetector.from_options({}, device="cpu").detect(noise) == [Span(start_ms=0, end_ms=1000)]


def test_speakers_overlap_in_turns_and_not_in_exclusive(dialogue):
    heard = diarize(dialogue)
    assert [(turn.start_ms, turn.end_ms, turn.speaker) for turn in heard.turns] == [
        (500, 1480, "V0"),
        (2000, 3240, "V1"),
        (4000, 5500, "V0"),
        (5000, 5460, "V1"),
    ]
    assert [(turn.start_ms, turn.end_ms) for turn in heard.exclusive] == [(500, 1480), (2000, 3240), (4000, 5500)]
    assert all(0 < turn.confidence < 1 for turn in heard.turns)


def test_more_voices_than_allowed_join_the_nearest():
    clip = tone_clip(9000, [*spoken(0, 400, 10), *spoken(3000, 2000, 10), *spoken(6000, 700, 5)])
    assert {turn.speaker for turn in diarize(clip).turns} == {"V0", "V1", "V2"}
    two = diarize(clip, SpeakerBounds(max_speakers=2))
    assert [turn.speaker for turn in two.turns] == ["V0", "V1", "V0"]


def test_a_voice_is_the_same_in_every_clip_and_unlike_the_others():
    first, again, other, silence = embed(
        tone_clip(2000, spoken(0, 400, 5)),
        tone_clip(3000, spoken(700, 400, 3), amplitude=0.4),
        tone_clip(2000, spoken(0, 600, 5)),
        tone_clip(500, []),
    )
    assert first @ again == pytest.approx(1)
    assert first @ other == pytest.approx(0)
    assert np.isnan(silence).all()


def test_embedding_nothing_gives_no_rows():
    assert embed().shape == (0, FakeEmbedder.dim)


@pytest.mark.parametrize(("voice", "fails"), [(900, True), (800, False), (405, False)])
def test_trouble_comes_for_the_voice_asked_for(dialogue, voice, fails):
    engine = FakeEmbedder.from_options({"fail_on_hz": voice}, device="cpu")
    if fails:
        with pytest.raises(EngineError) as caught:
            engine.embed([dialogue])
        assert not is_transient(caught.value)
    else:
        engine.embed([dialogue])


def test_memory_runs_out_on_request(dialogue):
    with pytest.raises(EngineOutOfMemory):
        FakeEmbedder.from_options({"out_of_memory_on_hz": 900}, device="cpu").embed([dialogue])
    small = FakeEmbedder.from_options({"max_batch": 1}, device="cpu")
    assert small.embed([dialogue]).shape == (1, FakeEmbedder.dim)
    with pytest.raises(EngineOutOfMemory):
        small.embed([dialogue, dialogue])


def test_identity_follows_what_changes_results():
    plain = FakeTranscriber.identify({})
    assert FakeTranscriber.identify({"fail_on_hz": 900, "delay_ms": 5}) == plain
    assert FakeTranscriber.identify({"accent": "!"}) != plain
    assert FakeTranscriber.identify({"accent": ""}) == plain
    with pytest.raises(ConfigError, match=r"accent \(''\)"):
        FakeTranscriber.identify({"acent": "!"})


def test_nothing_heavy_is_imported():
    code = "import sys, tasks.engines.fake; print({'torch', 'scipy', 'prefect'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_clips_are_noted_by_whoever_takes_them(dialogue, tmp_path):
    journal = tmp_path / "journal"
    assert read_journal(journal) == []
    for clip in (dialogue, dialogue[16_000:], dialogue):
        transcribe(clip, journal=str(journal))
    first, other, again = read_journal(journal)
    assert first == again == Noted(os.getpid(), 8000, first.digest)
    assert (other.duration_ms, other.digest != first.digest) == (7000, True)
