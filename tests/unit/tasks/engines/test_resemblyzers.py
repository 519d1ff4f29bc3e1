import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import ConfigError, EngineUnavailable
from storage.records import ClipContext, Span, SpeakerBounds
from tasks.engines import ge2e
from tasks.engines.resemblyzers import ResemblyzerDiarizer, ResemblyzerEmbedder, window_middles_ms

pytest.importorskip("resemblyzer", reason="needs the extra 'embedded'")
pytest.importorskip("torch", reason="needs the extra 'embedded'")

LOW, HIGH = 110.0, 210.0


def buzz(seconds, pitch_hz, *, formants=(500, 1500, 2500), level=0.1, seed=0):
    """A voice of a sort: a wavering pulse train through three resonances, in syllables."""
    rng = np.random.default_rng(seed)
    n = round(seconds * 16_000)
    time = np.arange(n) / 16_000
    pitch = pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * time))
    source = np.diff(np.floor(np.cumsum(pitch) / 16_000), prepend=0) + 0.01 * rng.standard_normal(n)
    spectrum = np.fft.rfft(source)
    hz = np.fft.rfftfreq(n, 1 / 16_000)
    spectrum *= sum(1 / (1 + ((hz - centre) / 80) ** 2) for centre in formants)
    voice = np.fft.irfft(spectrum, n) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return (level * voice / (np.std(voice) + 1e-12)).astype(np.float32)


def man(seconds, **kwargs):
    return buzz(seconds, LOW, formants=(450, 1200, 2300), **kwargs)


def woman(seconds, **kwargs):
    return buzz(seconds, HIGH, formants=(650, 1900, 2900), **kwargs)


def all_of(clip, **kwargs):
    return ClipContext(speech=(Span(start_ms=0, end_ms=len(clip) // 16),), **kwargs)


@pytest.fixture(scope="module")
def diarizer():
    return ResemblyzerDiarizer.from_options({}, device="cpu")


@pytest.fixture(scope="module")
def embedder():
    return ResemblyzerEmbedder.from_options({}, device="cpu")


@pytest.fixture(scope="module")
def original():
    library = pytest.importorskip("resemblyzer")
    return library.VoiceEncoder("cpu", verbose=False)


@pytest.mark.parametrize("n_samples", [0, 1, 159, 160, 16_000, 200_001])
def test_the_spectrogram_is_the_library_s(n_samples):
    audio = pytest.importorskip("resemblyzer.audio")
    clip = man(14)[:n_samples]
    expected = audio.wav_to_mel_spectrogram(clip) if n_samples else np.zeros((1, 40), np.float32)
    found = ge2e.mel_spectrogram(clip)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-6 * expected.max(initial=1e-9))


def test_the_fingerprint_is_the_library_s(embedder, original):
    clip = man(9.7)
    expected = original.embed_utterance(clip, rate=1.25)
    assert np.allclose(embedder.embed([clip])[0], expected, atol=1e-5)


def test_quiet_speech_is_raised_and_loud_speech_left():
    assert np.isclose(ge2e.root_mean_square(ge2e.raised_to_speech_level(man(1, level=0.001))), 10**-1.5, rtol=1e-4)
    loud = man(1, level=0.2)
    assert ge2e.raised_to_speech_level(loud) is loud


def test_fingerprints_have_unit_length_and_do_not_depend_on_their_neighbours(embedder):
    clips = [man(3), woman(61), man(0.7), woman(2, seed=1)]
    together = embedder.embed(clips)
    assert together.shape == (4, embedder.dim)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.array_equal(together, np.concatenate([embedder.embed([clip]) for clip in clips]))


def test_one_voice_is_nearer_to_itself_than_to_another(embedder):
    one, again, other = embedder.embed([man(8), man(6, seed=3), woman(8)])
    assert one @ again > one @ other + 0.1


def test_how_quiet_a_voice_was_recorded_does_not_matter(embedder):
    quiet, quieter = embedder.embed([man(4, level=0.02), man(4, level=0.0005)])
    assert quiet @ quieter > 0.9999


@pytest.mark.parametrize(
    "clip",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        man(0.49),
        np.zeros(32_000, np.float32),
        np.full(32_000, 0.5, np.float32),
        np.full(32_000, np.nan, np.float32),
        np.where(np.arange(32_000) == 7, np.inf, man(2)).astype(np.float32),
    ],
    ids=["nothing", "one sample", "too short", "silence", "DC", "nan", "inf"],
)
def test_no_voice_is_no_fingerprint(embedder, clip):
    row = embedder.embed([man(1), clip])[1]
    assert np.isnan(row).all()


def test_no_clips_make_no_rows(embedder, diarizer):
    assert embedder.embed([]).shape == (0, 256)
    assert diarizer.diarize([], []) == []


def test_two_voices_are_told_apart_where_they_change(diarizer):
    clip = np.concatenate([man(6), woman(6), man(6, seed=2)])
    (result,) = diarizer.diarize([clip], [all_of(clip)])
    assert [turn.speaker for turn in result.turns] == ["S0", "S1", "S0"]
    assert result.exclusive == result.turns
    changes = [turn.end_ms for turn in result.turns]
    assert changes[:2] == pytest.approx([6000, 12_000], abs=400)
    assert all(0.5 < turn.confidence <= 1 for turn in result.turns)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1, 3, 30])
def test_one_voice_is_one_speaker(diarizer, seconds):
    clip = man(seconds)
    (result,) = diarizer.diarize([clip], [all_of(clip)])
    assert {turn.speaker for turn in result.turns} == {"S0"}
    assert sum(turn.end_ms - turn.start_ms for turn in result.turns) == pytest.approx(len(clip) // 16, abs=300)


def test_bounds_decide_where_they_are_given(diarizer):
    clip = np.concatenate([man(6), woman(6)])
    one, three = diarizer.diarize(
        [clip, clip],
        [
            all_of(clip, speakers=SpeakerBounds(max_speakers=1)),
            all_of(clip, speakers=SpeakerBounds(min_speakers=3, max_speakers=3)),
        ],
    )
    assert {turn.speaker for turn in one.turns} == {"S0"}
    assert {turn.speaker for turn in three.turns} == {"S0", "S1", "S2"}


def test_turns_lie_inside_speech_and_a_pause_ends_one(diarizer):
    clip = man(6)
    speech = (Span(start_ms=1000, end_ms=2500), Span(start_ms=3000, end_ms=9000))
    (result,) = diarizer.diarize([clip], [ClipContext(speech=speech)])
    assert len(result.turns) == 2
    first, second = result.turns
    assert 1000 <= first.start_ms < first.end_ms <= 2500
    assert 3000 <= second.start_ms < second.end_ms <= 6000


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 5000)), max_size=6), st.integers(1, 12))
def test_windows_stay_with_their_speech(pauses_and_lengths, n_cells):
    speech, cells, clock_ms = [], [], 0
    for pause_ms, length_ms in pauses_and_lengths:
        start_ms = clock_ms + pause_ms
        clock_ms = start_ms + length_ms
        speech.append(Span(start_ms=start_ms, end_ms=clock_ms))
        edges = sorted({start_ms + length_ms * i // n_cells for i in range(n_cells + 1)})
        cells.append([Span(start_ms=first, end_ms=second) for first, second in pairwise(edges)])
    middles = iter(window_middles_ms(speech, [cell for own in cells for cell in own]))
    for span, own in zip(speech, cells, strict=True):
        for cell in own:
            middle_ms = next(middles)
            inside_ms = min(400, span.duration_ms // 2)
            assert span.start_ms + inside_ms <= middle_ms <= span.end_ms - inside_ms
            if cell.start_ms - span.start_ms >= 400 and span.end_ms - cell.end_ms >= 400:
                assert middle_ms == (cell.start_ms + cell.end_ms) // 2


def test_without_speech_nobody_speaks(diarizer):
    silence = np.zeros(48_000, np.float32)
    empty, none_detected = diarizer.diarize([silence, man(3)], [all_of(silence), ClipContext(speech=())])
    assert empty.turns == none_detected.turns == ()


def test_broken_samples_do_not_spread(diarizer):
    clip = man(4)
    clip[1000:1200] = np.nan
    clip[5000] = np.inf
    before = clip.copy()
    (result,) = diarizer.diarize([clip], [all_of(clip)])
    assert {turn.speaker for turn in result.turns} == {"S0"}
    assert np.array_equal(clip, before, equal_nan=True)


@pytest.mark.parametrize("engine", [ResemblyzerDiarizer, ResemblyzerEmbedder])
@pytest.mark.parametrize("options", [{"step_ms": 99}, {"step_ms": 1601}, {"step": 400}])
def test_impossible_options_are_refused_before_anything_is_loaded(engine, options):
    with pytest.raises(ConfigError):
        engine.identify(options)
    with pytest.raises(ConfigError):
        engine.from_options(options, device="cpu")


def test_a_device_that_is_not_here_is_said():
    with pytest.raises(EngineUnavailable):
        ResemblyzerEmbedder.from_options({}, device="no-such-device")


def test_the_identity_names_what_decides_the_result():
    identity = ResemblyzerDiarizer.identify({"step_ms": 300})
    assert identity.name == "resemblyzer"
    assert identity.version.startswith(ge2e.library_version() + "+")
    assert identity.options == '{"step_ms":300}'
    assert identity.weights == ResemblyzerEmbedder.identify({}).weights
    assert len(identity.weights) == 16


def test_identifying_imports_no_model_library():
    program = (
        "import sys; from tasks.engines.resemblyzers import ResemblyzerDiarizer as E; E.identify({});"
        "assert not {'torch', 'librosa', 'resemblyzer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
