import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from storage.errors import ConfigError, EngineError, EngineUnavailable
from storage.records import ClipContext, Span
from tasks.engines.sphinx import PocketSphinxTranscriber, SphinxOptions
from tests.tones import all_speech

NOISE = np.random.default_rng(7).normal(0, 0.1, 16_000 * 60).astype(np.float32)


class ScriptedDecoder:
    """Answers with the entries given, whatever it hears."""

    def __init__(self, *entries):
        self.entries = [
            SimpleNamespace(word=word, start_frame=start, end_frame=end, prob=prob)
            for word, start, end, prob in entries
        ]
        self.state = "idle"

    def reinit_feat(self):
        assert self.state == "idle"

    def start_utt(self):
        self.state = "listening"

    def process_raw(self, data, *, no_search, full_utt):
        assert not no_search
        assert full_utt
        assert len(data) % 2 == 0

    def end_utt(self):
        self.state = "idle"

    def hyp(self):
        return self.entries or None

    def seg(self):
        return iter(self.entries)


def transcribe(decoder, clip, speech=None, language=None):
    context = ClipContext(speech=all_speech(clip) if speech is None else speech, language=language)
    return PocketSphinxTranscriber(decoder, SphinxOptions()).transcribe([clip], [context])[0]


def test_fillers_and_pronunciations_are_taken_off():
    decoder = ScriptedDecoder(
        ("<s>", 0, 9, 1.0),
        ("the(2)", 10, 19, 0.25),
        ("<sil>", 20, 29, 1.0),
        ("[NOISE]", 30, 39, 1.0),
        ("++UM++", 40, 49, 1.0),
        ("bread", 50, 89, 1.0001),
        ("</s>", 90, 99, 1.0),
    )
    heard = transcribe(decoder, NOISE[:16_000])
    assert [(w.text, w.start_ms, w.end_ms, w.confidence) for w in heard.words] == [
        ("the", 100, 200, 0.25),
        ("bread", 500, 900, 1.0),
    ]
    (segment,) = heard.segments
    assert (segment.start_ms, segment.end_ms, segment.language) == (100, 900, "en")
    assert segment.confidence == pytest.approx(0.5)


def test_words_stay_inside_their_utterance():
    speech = (Span(start_ms=300, end_ms=555), Span(start_ms=2000, end_ms=2400))
    heard = transcribe(ScriptedDecoder(("late", 20, 99, 0.5)), NOISE[:48_000], speech)
    assert [(w.start_ms, w.end_ms, w.segment_index) for w in heard.words] == [(500, 555, 0), (2200, 2400, 1)]


def test_an_utterance_without_words_is_no_segment():
    heard = transcribe(ScriptedDecoder(("<sil>", 0, 50, 1.0)), NOISE[:16_000])
    assert heard.words == ()
    assert heard.segments == ()


@pytest.mark.parametrize("language", ["de", "pt-BR", "enm"])
def test_other_languages_get_a_flag_and_no_words(language):
    heard = transcribe(ScriptedDecoder(("dog", 0, 9, 1.0)), NOISE[:16_000], language=language)
    assert heard.words == ()
    assert [(s.language, s.flags) for s in heard.segments] == [(language, ("language_unsupported",))]


@pytest.mark.parametrize("language", [None, "en", "EN", "en-GB", "en_us"])
def test_every_english_is_english(language):
    assert transcribe(ScriptedDecoder(("dog", 0, 9, 1.0)), NOISE[:16_000], language=language).words


@pytest.mark.parametrize("level", [0, 0.5, 1, np.nan, np.inf])
def test_what_cannot_be_heard_is_not_decoded(level):
    clip = np.full(16_000, level, dtype=np.float32)
    assert transcribe(ScriptedDecoder(("dog", 0, 9, 1.0)), clip).words == ()


def test_a_failing_decoder_says_where_and_works_again():
    class Failing(ScriptedDecoder):
        def process_raw(self, data, *, no_search, full_utt):
            raise RuntimeError("no frames")

    decoder = Failing()
    with pytest.raises(EngineError, match="failed at 200 ms of a clip of 1000 ms"):
        transcribe(decoder, NOISE[:16_000], (Span(start_ms=200, end_ms=900),))
    assert decoder.state == "idle"


def test_impossible_options_are_refused():
    with pytest.raises(ConfigError, match="max_utterance_ms must be at least 1000, not 10"):
        PocketSphinxTranscriber.identify({"max_utterance_ms": 10})


def test_identity_loads_no_library():
    code = (
        "import sys; from tasks.engines.sphinx import PocketSphinxTranscriber as T; T.identify({}); "
        "print({'pocketsphinx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(EngineUnavailable, match=r"voxlake\[embedded\]"):
        PocketSphinxTranscriber.from_options({}, device="cpu")
    monkeypatch.setattr("tasks.engines.sphinx.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"voxlake\[embedded\]"):
        PocketSphinxTranscriber.identify({})
