"""The Whisper adapter on a small true Whisper (``tests/models/make/train_whisper.py``), and what its library does."""

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from storage.errors import ConfigError, EngineError, EngineOutOfMemory, EngineUnavailable
from storage.records import SAMPLES_PER_MS, ClipContext, Span, duration_ms
from tasks.engines.devices import n_cuda_devices
from tasks.engines.silero import SileroDetector
from tasks.engines.whisper import WhisperTranscriber
from tasks.engines.whisper_options import MODELS
from tests import true_speech
from tests.contract.clips import hard_clips
from tests.contract.suites import TranscriberContract
from tests.fake_hub import fake_hub
from tests.tones import all_speech
from tests.true_speech import FOLDER, word_errors

MODEL = Path(__file__).parent.parent / "models" / "whisper"
OPTIONS = {"model": str(MODEL), "cpu_threads": 1}


def load(**options):
    return WhisperTranscriber.from_options({**OPTIONS, **options}, device="cpu")


@pytest.fixture(scope="module")
def whisper():
    return load()


@pytest.fixture(scope="module")
def detector():
    return SileroDetector.from_options({}, device="cpu")


@pytest.fixture(scope="module")
def english():
    return true_speech.sentences()


@pytest.fixture(scope="module")
def english_contexts(english, detector):
    return [ClipContext(speech=tuple(detector.detect(item.clip))) for item in english]


@pytest.fixture(scope="module")
def heard(whisper, english, english_contexts):
    return whisper.transcribe([item.clip for item in english], english_contexts)


@pytest.fixture(scope="module")
def german():
    return true_speech._pieces(FOLDER / "german.json")


@pytest.fixture(scope="module")
def german_contexts(german, detector):
    return [ClipContext(speech=tuple(detector.detect(clip))) for clip, _ in german]


@pytest.fixture(scope="module")
def heard_german(whisper, german, german_contexts):
    return whisper.transcribe([clip for clip, _ in german], german_contexts)


def texts(transcript):
    return [word.text for word in transcript.words]


def error_rate(transcripts, said):
    """Return word errors over words."""
    errors = sum(word_errors(texts(found), text.split()) for found, text in zip(transcripts, said, strict=True))
    return errors / sum(len(text.split()) for text in said)


def assert_same(some, others):
    """Hold results to be the same but for the noise of sums in another order."""
    for one, other in zip(some, others, strict=True):
        TestContract().assert_same(one, other)
        assert [segment.flags for segment in one.segments] == [segment.flags for segment in other.segments]


class TestContract(TranscriberContract):
    engine = WhisperTranscriber
    options: ClassVar = OPTIONS

    def speech(self):
        return {item.voice: item.clip for item in true_speech.sentences()[4::18]}


# ---- what is heard


def test_words_are_right(heard, english):
    assert error_rate(heard, [item.text for item in english]) <= 0.1


def test_words_begin_and_end_when_they_are_said(heard, english):
    right = [pair for pair in zip(heard, english, strict=True) if texts(pair[0]) == pair[1].text.split()]
    starts = [w.start_ms - truth[0] for found, item in right for w, truth in zip(found.words, item.words, strict=True)]
    ends = [w.end_ms - truth[1] for found, item in right for w, truth in zip(found.words, item.words, strict=True)]
    assert np.median(np.abs(starts)) <= 40
    assert np.percentile(np.abs(starts), 90) <= 120
    assert np.median(np.abs(ends)) <= 60


def test_first_words_do_not_begin_in_the_silence_that_the_detector_adds(heard, english):
    late = [found.words[0].start_ms - item.words[0][0] for found, item in zip(heard, english, strict=True)]
    assert np.median(np.abs(late)) <= 30


def test_the_language_is_heard(heard, heard_german):
    assert [segment.language for found in heard for segment in found.segments] == ["en"] * len(heard)
    assert [segment.language for found in heard_german for segment in found.segments] == ["de"] * len(heard_german)


def test_german_words_are_right(heard_german, german):
    assert error_rate(heard_german, [item["text"] for _, item in german]) <= 0.15


def test_german_is_translated(german, german_contexts):
    found = load(task="translate").transcribe([clip for clip, _ in german], german_contexts)
    assert error_rate(found, [item["english"] for _, item in german]) <= 0.25
    assert {segment.language for one in found for segment in one.segments} == {"de"}


def test_confidence_tells_good_text_from_bad(heard):
    segments = [segment for found in heard for segment in found.segments]
    assert np.mean([segment.confidence for segment in segments]) > 0.7
    assert np.mean([segment.no_speech_confidence for segment in segments]) < 0.1
    assert all(0 <= word.confidence <= 1 for found in heard for word in found.words)


def test_most_sentences_are_beyond_suspicion(heard):
    flagged = [segment for found in heard for segment in found.segments if segment.flags]
    assert len(flagged) <= 0.1 * len(heard)


def test_a_conversation_of_forty_seconds(whisper, detector):
    talks = list(true_speech.archive().values())
    contexts = [ClipContext(speech=tuple(detector.detect(talk.clip))) for talk in talks]
    found = load(piece_ms=10_000, join_ms=300).transcribe([talk.clip for talk in talks], contexts)
    assert error_rate(found, [" ".join(word.text for word in talk.words) for talk in talks]) <= 0.2
    for one in found:
        assert all(before.start_ms <= after.start_ms for before, after in pairwise(one.words))


# ---- languages


def test_a_language_given_is_taken_and_shown(whisper, english, english_contexts):
    context = ClipContext(speech=english_contexts[0].speech, language="en-GB")
    (found,) = whisper.transcribe([english[0].clip], [context])
    assert [segment.language for segment in found.segments] == ["en"]
    assert found.words


@pytest.mark.parametrize("language", ["fr", "xx", "klingon"])
def test_a_language_without_a_token_is_flagged_and_never_passed_down(whisper, english, english_contexts, language):
    context = ClipContext(speech=english_contexts[0].speech, language=language)
    (found,) = whisper.transcribe([english[0].clip], [context])
    assert found.words == ()
    assert [(one.language, one.flags) for one in found.segments] == [(language, ("language_unsupported",))]


def test_the_library_itself_takes_a_language_without_a_token(whisper, english):
    model = whisper._decoder._model
    assert "fr" in model.supported_languages
    segments, _ = model.transcribe(english[0].clip, language="fr")
    list(segments)


def test_the_language_is_heard_on_speech_only(whisper, german, german_contexts, english):
    clip, _ = german[0]
    other = english[0].clip
    joined = np.concatenate([other, other, clip])
    offset_ms = 2 * duration_ms(other)
    speech = tuple(span.shifted(offset_ms) for span in german_contexts[0].speech)
    (found,) = whisper.transcribe([joined], [ClipContext(speech=speech)])
    assert [segment.language for segment in found.segments] == ["de"]
    assert found.words[0].start_ms >= offset_ms


def test_clips_in_several_languages_share_a_call(whisper, english, english_contexts, german, german_contexts):
    clips = [english[0].clip, german[0][0], english[1].clip]
    contexts = [english_contexts[0], german_contexts[0], english_contexts[1]]
    found = whisper.transcribe(clips, contexts)
    assert [one.segments[0].language for one in found] == ["en", "de", "en"]


# ---- pieces, batches and times


def test_pieces_of_several_clips_share_batches(whisper, english, english_contexts, heard):
    sizes = []
    decode = whisper._decoder.decode

    def counting(pieces, language):
        sizes.append(len(pieces))
        return decode(pieces, language)

    whisper._decoder.decode = counting
    try:
        again = whisper.transcribe([item.clip for item in english[:9]], english_contexts[:9])
    finally:
        del whisper._decoder.decode
    assert sizes == [8, 1]
    assert_same(again, heard[:9])


def test_words_are_those_of_the_librarys_own_batches(whisper, english, english_contexts):
    from faster_whisper import BatchedInferencePipeline

    item, context = english[0], english_contexts[0]
    (span,) = context.speech
    seconds = {"start": span.start_ms / 1000, "end": span.end_ms / 1000}
    segments, _ = BatchedInferencePipeline(whisper._decoder._model).transcribe(
        item.clip, language="en", clip_timestamps=[seconds], word_timestamps=True
    )
    (segment,) = segments
    (found,) = whisper.transcribe([item.clip], [context])
    assert texts(found) == [word.word.strip() for word in segment.words]
    assert found.segments[0].confidence == pytest.approx(np.exp(segment.avg_logprob), abs=1e-5)
    assert found.segments[0].no_speech_confidence == pytest.approx(segment.no_speech_prob, abs=1e-5)
    assert found.words[-1].end_ms == pytest.approx(1000 * segment.words[-1].end, abs=40)


def test_speech_longer_than_a_window_is_heard_to_its_end(whisper, english):
    clip = np.concatenate([item.clip for item in english[:14]])
    assert duration_ms(clip) > 40_000
    (found,) = whisper.transcribe([clip], [ClipContext(speech=all_speech(clip))])
    assert len(found.segments) >= 2
    assert found.words[-1].start_ms > 35_000


def test_no_word_lies_in_a_long_silence(whisper, english, english_contexts):
    silence_ms = 1900
    item, context = english[0], english_contexts[0]
    gap = np.zeros(silence_ms * SAMPLES_PER_MS, np.float32)
    clip = np.concatenate([item.clip, gap, item.clip])
    later = [span.shifted(duration_ms(item.clip) + silence_ms) for span in context.speech]
    (found,) = whisper.transcribe([clip], [ClipContext(speech=(*context.speech, *later))])
    first_end_ms, second_start_ms = context.speech[-1].end_ms, later[0].start_ms
    assert not any(word.start_ms < second_start_ms and word.end_ms > first_end_ms for word in found.words)


def test_silence_before_a_sentence_does_not_move_it(whisper, english, english_contexts, heard):
    gap_ms = 7000
    clip = np.concatenate([np.zeros(gap_ms * SAMPLES_PER_MS, np.float32), english[0].clip])
    speech = tuple(span.shifted(gap_ms) for span in english_contexts[0].speech)
    (found,) = whisper.transcribe([clip], [ClipContext(speech=speech)])
    assert [(w.text, w.start_ms - gap_ms, w.end_ms - gap_ms) for w in found.words] == [
        (w.text, w.start_ms, w.end_ms) for w in heard[0].words
    ]


# ---- doubt


def test_silence_and_noise_that_a_detector_took_for_speech_have_no_words_and_say_so(whisper):
    clips = [hard_clips()[name] for name in ("silence", "direct current", "not a number", "five milliseconds")]
    for found in whisper.transcribe(clips, [ClipContext(speech=all_speech(clip)) for clip in clips]):
        assert found.words == ()
        assert [segment.flags for segment in found.segments] == [("no_words",)]


def test_a_suspect_piece_is_decoded_again_and_what_stays_suspect_is_flagged_not_deleted(english, english_contexts):
    strict = load(min_logprob=-1e-6, temperatures=[0.0, 0.5], best_of=2)
    found = strict.transcribe([item.clip for item in english[:2]], english_contexts[:2])
    for one in found:
        assert one.words
        assert [segment.flags for segment in one.segments] == [("low_confidence",)]


def test_no_worse_for_being_decoded_again(english, english_contexts, heard):
    strict = load(min_logprob=-1e-6, temperatures=[0.0, 0.5], best_of=2)
    found = strict.transcribe([item.clip for item in english[:4]], english_contexts[:4])
    for again, first in zip(found, heard, strict=False):
        assert again.segments[0].confidence >= first.segments[0].confidence - 1e-6


def test_decoding_again_depends_on_nothing_else(english, english_contexts):
    options = {"min_logprob": -1e-6, "temperatures": [0.0, 1.0], "best_of": 2}
    clips, contexts = [item.clip for item in english[:3]], english_contexts[:3]
    one = load(**options)
    together = one.transcribe(clips, contexts)
    alone = [load(**options).transcribe([clip], [context])[0] for clip, context in zip(clips, contexts, strict=True)]
    backward = one.transcribe(clips[::-1], contexts[::-1])[::-1]
    assert_same(together, alone)
    assert_same(together, backward)


def test_the_librarys_own_sampling_would_depend_on_what_was_sampled_before(whisper, english):
    """Why we sample ourselves: a seed has no effect once a thread has sampled."""
    import ctranslate2

    model = whisper._decoder._model
    encoded = model.encode(model.feature_extractor(english[0].clip)[:, :3000])
    prompt = [model.hf_tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftranscript", "en", "transcribe")]
    drawn = []
    for _ in range(4):
        ctranslate2.set_random_seed(7)
        (result,) = model.model.generate(
            encoded, [prompt], beam_size=1, sampling_topk=0, sampling_temperature=3.0, max_length=60
        )
        drawn.append(tuple(result.sequences_ids[0]))
    assert len(set(drawn)) > 1


def test_sampling_with_little_chance_writes_what_is_likeliest(whisper, english, english_contexts):
    from tasks.engines.whisper_decoder import Piece

    greedy = load(beam_size=1)
    piece = Piece(english[0].clip, english_contexts[0].speech[0], english_contexts[0].speech)
    (likeliest,) = greedy._decoder.decode([piece], "en")
    drawn = next(greedy._decoder.samples(piece, "en", 1e-3, 0.0))
    assert drawn.text == likeliest.text
    assert drawn.logprob == pytest.approx(likeliest.logprob, abs=1e-3)


def test_nothing_is_decoded_again_without_temperatures(english, english_contexts, monkeypatch):
    once = load(min_logprob=-1e-6, temperatures=[])
    monkeypatch.setattr(once._decoder, "decode_with_times", lambda *_: pytest.fail("decoded again"))
    (found,) = once.transcribe([english[0].clip], english_contexts[:1])
    assert found.segments[0].flags == ("low_confidence",)


# ---- options


@pytest.mark.parametrize(
    "options",
    [
        {"initial_prompt": "the captain opened the window"}, {"hotwords": "harbour mountain"}, {"beam_size": 1},
        {"patience": 2.0}, {"no_repeat_ngram_size": 4}, {"repetition_penalty": 1.05}, {"compute_type": "float32"},
        {"compute_type": "default"}, {"compute_type": "int8_float32"}, {"batch_size": 1},
    ],
)  # fmt: skip
def test_options_reach_the_model_and_do_no_harm(options, english, english_contexts):
    found = load(**options).transcribe([item.clip for item in english[:6]], english_contexts[:6])
    assert error_rate(found, [item.text for item in english[:6]]) <= 0.3


def test_a_prompt_of_two_hundred_words_leaves_room_for_sampling(english, english_contexts):
    long = load(initial_prompt="the old captain opened " * 50, min_logprob=-1e-6, temperatures=[0.0, 0.2], best_of=1)
    (found,) = long.transcribe([english[0].clip], english_contexts[:1])
    assert len(found.segments) == 1


def test_a_prompt_that_leaves_no_room_is_refused():
    with pytest.raises(ConfigError, match="shorten"):
        load(initial_prompt="captain " * 300)


def test_sizes_are_the_librarys():
    from faster_whisper.utils import _MODELS

    assert MODELS == _MODELS


@pytest.mark.parametrize("compute_type", ["float16", "bfloat16", "int8_float16"])
def test_a_compute_type_that_the_device_cannot_do(compute_type):
    with pytest.raises(ConfigError, match=compute_type):
        load(compute_type=compute_type)


# ---- weights


@pytest.fixture
def copied(tmp_path):
    folder = tmp_path / "whisper"
    shutil.copytree(MODEL, folder)
    return folder


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_missing_file_is_said_at_once(copied, name):
    (copied / name).unlink()
    with pytest.raises(EngineUnavailable, match=name):
        load(model=str(copied))
    with pytest.raises(EngineUnavailable, match=name):
        WhisperTranscriber.identify({"model": str(copied)})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "config.json", "vocabulary.json"])
def test_a_file_cut_short_is_said_before_any_work(copied, name, share):
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(EngineUnavailable, match="engine 'whisper'"):
        load(model=str(copied))


def test_settings_for_another_number_of_mels(copied):
    (copied / "preprocessor_config.json").write_text(json.dumps({"feature_size": 128}))
    with pytest.raises(EngineUnavailable, match=r"wants 80 mels, its .* gives 128"):
        load(model=str(copied))


def test_a_model_that_could_detect_no_language(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "lang_ids": []}))
    with pytest.raises(EngineUnavailable, match="lists no languages"):
        load(model=str(copied))


def test_a_folder_of_something_else(tmp_path):
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        load(model=str(tmp_path))


def test_weights_that_are_not_here_are_not_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="voxlake engines fetch"):
        WhisperTranscriber.from_options({"model": "nobody/no-such-whisper"}, device="cpu")


def test_a_size_is_fetched_from_the_hub_and_then_found_without_it(tmp_path):
    files = {path.name: path.read_bytes() for path in MODEL.iterdir()}
    with fake_hub({MODELS["tiny"]: {**files, "README.md": b"not wanted"}}) as address:
        fetched = fresh_python("fetch", tmp_path, address)
    found = fresh_python("locate", tmp_path, "http://127.0.0.1:1")
    assert fetched == found
    *names, words = found.split()
    assert set(names) == set(files)
    assert words == "True"


def fresh_python(call, home, address):
    """Return what a process prints whose hub is at that address: the files of a size, and whether it hears words."""
    script = f"""
from storage.records import ClipContext
from tasks.engines import hub
from tasks.engines.whisper import WhisperTranscriber
from tests.tones import all_speech
from tests.true_speech import sentences
folder = hub.{call}(WhisperTranscriber.weights({{"model": "tiny"}})[0])
print(*sorted(path.name for path in folder.iterdir()))
engine = WhisperTranscriber.from_options({{"model": "tiny"}}, device="cpu")
clip = sentences()[0].clip
print(bool(engine.transcribe([clip], [ClipContext(speech=all_speech(clip))])[0].words))
"""
    hub = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "0"}
    kept = {name: value for name, value in os.environ.items() if name != "VOXLAKE_WEIGHTS"}
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, env={**kept, **hub}, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_other_weights_are_another_identity(copied):
    same = WhisperTranscriber.identify({"model": str(copied)})
    assert same == WhisperTranscriber.identify(OPTIONS)
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "more": 1}))
    assert WhisperTranscriber.identify({"model": str(copied)}).weights != same.weights


def test_a_model_of_english_alone(copied, english, english_contexts, german, german_contexts):
    """A model is multilingual for CTranslate2 if the empty text is in its vocabulary."""
    vocabulary = json.loads((copied / "vocabulary.json").read_text())
    vocabulary[vocabulary.index("")] = "<|unused|>"
    (copied / "vocabulary.json").write_text(json.dumps(vocabulary))
    only = load(model=str(copied))
    clips, contexts = [english[0].clip, german[0][0]], [english_contexts[0], german_contexts[0]]
    found = only.transcribe(clips, [contexts[0], ClipContext(speech=contexts[1].speech, language="de")])
    assert [one.segments[0].language for one in found] == ["en", "de"]
    assert found[1].segments[0].flags == ("language_unsupported",)
    with pytest.raises(ConfigError, match="cannot translate"):
        load(model=str(copied), task="translate")


@pytest.mark.skipif(n_cuda_devices() > 0, reason="there is one")
def test_a_cuda_device_that_is_not_here():
    with pytest.raises(ConfigError, match="no device cuda:1"):
        WhisperTranscriber.from_options(OPTIONS, device="cuda:1")


def test_a_device_where_it_cannot_run():
    with pytest.raises(ConfigError, match="choose cpu, cuda"):
        WhisperTranscriber.from_options(OPTIONS, device="mps")


# ---- memory


def test_a_batch_that_does_not_fit_is_halved(english, english_contexts, heard, monkeypatch):
    small = load()
    generate = small._decoder._model.model.generate
    sizes = []

    class Card:
        """A model on a card that holds two pieces."""

        def __getattr__(self, name):
            return getattr(whole, name)

        def generate(self, encoded, prompts, **search):
            sizes.append(len(prompts))
            if len(prompts) > 2:
                raise RuntimeError("CUDA failed with error out of memory")
            return generate(encoded, prompts, **search)

    whole = small._decoder._model.model
    monkeypatch.setattr(small._decoder._model, "model", Card())
    found = small.transcribe([item.clip for item in english[:5]], english_contexts[:5])
    assert_same(found, heard[:5])
    assert sizes == [5, 2, 2, 1]


@pytest.mark.parametrize(
    ("problem", "error"),
    [("CUDA failed with error out of memory", EngineOutOfMemory), ("something else", EngineError)],
)
def test_errors_of_the_library_become_ours(english, english_contexts, monkeypatch, problem, error):
    failing = load()

    def fail(*_):
        raise RuntimeError(problem)

    monkeypatch.setattr(failing._decoder._model, "encode", fail)
    with pytest.raises(error, match="engine 'whisper'"):
        failing.transcribe([english[0].clip], [ClipContext(speech=english_contexts[0].speech, language="en")])


def test_clips_that_are_not_sane_beside_one_that_is(whisper, english, english_contexts, heard):
    clips = [*hard_clips().values(), english[0].clip]
    contexts = [ClipContext(speech=(Span(start_ms=0, end_ms=duration_ms(clip)),)) for clip in clips[:-1]]
    found = whisper.transcribe(clips, [*contexts, english_contexts[0]])
    assert_same(found[-1:], heard[:1])
