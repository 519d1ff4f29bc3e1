"""One suite per engine protocol: the promises of ``tasks.engines.base``, for any engine that wants to keep them.

Subclass a suite, name it ``Test…`` and say which engine it is about::

    class TestMine(TranscriberContract):
        engine = MyTranscriber
        options = {"model": "tiny"}

        def speech(self):
            return {"a sentence": read_sentence()}

``speech`` returns clips in which the engine should find something; without them the suite still checks that it stays
sane. An engine that may differ a little between batches, for example on a GPU, widens ``tolerance_ms``.
"""

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest

from storage.errors import ConfigError
from storage.records import Clip, ClipContext, Span, SpeakerBounds, duration_ms
from tasks.engines.base import EngineIdentity, EngineInfo
from tests.contract.clips import hard_clips
from tests.tones import all_speech


class EngineContract:
    """What holds for all engines."""

    engine: ClassVar[Any]
    options: ClassVar[Mapping[str, object]] = {}
    device: ClassVar[str] = "cpu"

    def speech(self) -> Mapping[str, Clip]:
        return {}

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls):
        return cls.engine.from_options(cls.options, device=cls.device)

    @pytest.fixture(scope="class")
    @classmethod
    def clips(cls):
        return [*hard_clips().values(), *cls().speech().values()]

    def test_says_who_it_is(self):
        identity = self.engine.identify(self.options)
        assert isinstance(identity, EngineIdentity)
        assert identity == self.engine.identify(dict(reversed(self.options.items())))
        assert identity.name
        assert identity.version
        assert re.fullmatch(r"[0-9a-f]{16}", identity.weights)
        canonical = json.dumps(json.loads(identity.options), sort_keys=True, separators=(",", ":"))
        assert identity.options == canonical
        assert pickle.loads(pickle.dumps(identity)) == identity

    def test_says_what_a_person_wants_to_know(self):
        info = self.engine.info
        assert isinstance(info, EngineInfo)
        assert info.summary
        assert info.licence
        assert info.languages

    def test_refuses_an_unknown_option_before_and_while_loading(self):
        wrong = {**self.options, "no_such_option": 1}
        with pytest.raises(ConfigError, match="no_such_option"):
            self.engine.identify(wrong)
        with pytest.raises(ConfigError, match="no_such_option"):
            self.engine.from_options(wrong, device=self.device)


class DetectorContract(EngineContract):
    """What a detector promises."""

    def test_spans_are_sorted_disjoint_and_inside(self, subject, clips):
        for clip in clips:
            spans = subject.detect(clip)
            assert all(isinstance(span, Span) for span in spans)
            assert all(0 <= span.start_ms < span.end_ms <= duration_ms(clip) for span in spans)
            assert all(before.end_ms <= after.start_ms for before, after in pairwise(spans))

    def test_silence_is_no_speech(self, subject):
        assert subject.detect(hard_clips()["silence"]) == []

    def test_speech_is_found(self, subject):
        for name, clip in self.speech().items():
            assert subject.detect(clip), name

    def test_same_clip_same_spans_and_clip_untouched(self, subject, clips):
        first = [subject.detect(_locked(clip)) for clip in clips]
        again = [subject.detect(clip) for clip in reversed(clips)]
        assert first == list(reversed(again))


class _BatchContract(EngineContract):
    """What batch engines share; ``results`` are those of all clips in one call."""

    tolerance_ms: ClassVar[int] = 0

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls, subject, clips):
        return cls().call(subject, clips)

    def call(self, subject, clips: Sequence[Clip]) -> Sequence[Any]:
        raise NotImplementedError

    def assert_same(self, one: Any, other: Any) -> None:
        raise NotImplementedError

    def test_nothing_in_nothing_out(self, subject):
        assert len(self.call(subject, [])) == 0

    def test_one_result_per_clip_whatever_the_batch(self, subject, clips, results):
        assert len(results) == len(clips)
        for clip, result in zip(clips, results, strict=True):
            self.assert_same(self.call(subject, [clip])[0], result)

    def test_a_new_engine_hears_the_same_in_another_order_and_modifies_no_clip(self, clips, results):
        fresh = self.engine.from_options(self.options, device=self.device)
        backward = self.call(fresh, [_locked(clip) for clip in reversed(clips)])
        for one, other in zip(results, reversed(list(backward)), strict=True):
            self.assert_same(one, other)


class TranscriberContract(_BatchContract):
    """What a transcriber promises."""

    def call(self, subject, clips):
        return subject.transcribe(clips, [ClipContext(speech=all_speech(clip)) for clip in clips])

    def assert_same(self, one, other):
        assert [word.text for word in one.words] == [word.text for word in other.words]
        for ours, theirs in zip(one.words, other.words, strict=True):
            assert abs(ours.start_ms - theirs.start_ms) <= self.tolerance_ms
            assert abs(ours.end_ms - theirs.end_ms) <= self.tolerance_ms
            assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-6 if not self.tolerance_ms else 0.05)
        assert len(one.segments) == len(other.segments)

    def test_words_and_segments_are_inside_and_in_order(self, clips, results):
        for clip, heard in zip(clips, results, strict=True):
            for timed in (heard.words, heard.segments):
                assert all(0 <= item.start_ms <= item.end_ms <= duration_ms(clip) for item in timed)
                assert all(before.start_ms <= after.start_ms for before, after in pairwise(timed))

    def test_words_have_text_and_a_segment_that_exists(self, results):
        for heard in results:
            for word in heard.words:
                assert word.text
                assert word.text == word.text.strip()
                assert 0 <= word.segment_index < len(heard.segments)

    def test_confidences_are_probabilities_or_none(self, results):
        for heard in results:
            values = [word.confidence for word in heard.words]
            values += [segment.confidence for segment in heard.segments]
            values += [segment.no_speech_confidence for segment in heard.segments]
            assert all(value is None or 0 <= value <= 1 for value in values)
            assert all(list(segment.flags) == sorted(segment.flags) for segment in heard.segments)

    def test_without_speech_no_exception(self, subject, clips):
        heard = subject.transcribe(clips, [ClipContext(speech=()) for _ in clips])
        assert len(heard) == len(clips)

    def test_a_language_nobody_knows_is_no_exception(self, subject, clips):
        contexts = [ClipContext(speech=all_speech(clip), language="zz") for clip in clips]
        assert len(subject.transcribe(clips, contexts)) == len(clips)

    def test_speech_has_words(self, subject):
        for name, clip in self.speech().items():
            assert self.call(subject, [clip])[0].words, name


class DiarizerContract(_BatchContract):
    """What a diarizer promises."""

    def call(self, subject, clips):
        return subject.diarize(clips, [ClipContext(speech=all_speech(clip)) for clip in clips])

    def assert_same(self, one, other):
        for ours, theirs in ((one.turns, other.turns), (one.exclusive, other.exclusive)):
            assert [turn.speaker for turn in ours] == [turn.speaker for turn in theirs]
            for mine, yours in zip(ours, theirs, strict=True):
                assert abs(mine.start_ms - yours.start_ms) <= self.tolerance_ms
                assert abs(mine.end_ms - yours.end_ms) <= self.tolerance_ms

    def test_turns_are_inside_and_sorted(self, clips, results):
        for clip, heard in zip(clips, results, strict=True):
            for turns in (heard.turns, heard.exclusive):
                assert all(0 <= turn.start_ms < turn.end_ms <= duration_ms(clip) for turn in turns)
                order = [(turn.start_ms, turn.end_ms, turn.speaker) for turn in turns]
                assert order == sorted(order)

    def test_turns_of_one_speaker_do_not_overlap(self, results):
        for heard in results:
            for speaker in {turn.speaker for turn in heard.turns}:
                own = [turn for turn in heard.turns if turn.speaker == speaker]
                assert all(before.end_ms <= after.start_ms for before, after in pairwise(own))

    def test_exclusive_turns_never_overlap_and_lie_in_turns(self, results):
        for heard in results:
            assert all(before.end_ms <= after.start_ms for before, after in pairwise(heard.exclusive))
            for turn in heard.exclusive:
                assert _covered(turn, [other for other in heard.turns if other.speaker == turn.speaker])

    def test_confidences_are_probabilities_or_none(self, results):
        for heard in results:
            values = [turn.confidence for turn in (*heard.turns, *heard.exclusive)]
            assert all(value is None or 0 <= value <= 1 for value in values)

    def test_without_speech_no_exception(self, subject, clips):
        assert len(subject.diarize(clips, [ClipContext(speech=()) for _ in clips])) == len(clips)

    @pytest.mark.parametrize("limit", [1, 2])
    def test_no_more_speakers_than_said(self, subject, clips, limit):
        bounds = SpeakerBounds(min_speakers=limit, max_speakers=limit)
        contexts = [ClipContext(speech=all_speech(clip), speakers=bounds) for clip in clips]
        for heard in subject.diarize(clips, contexts):
            assert len({turn.speaker for turn in heard.turns}) <= limit

    def test_speech_has_turns(self, subject):
        for name, clip in self.speech().items():
            assert self.call(subject, [clip])[0].turns, name


class EmbedderContract(_BatchContract):
    """What an embedder promises; give speech of at least two seconds a clip."""

    tolerance: ClassVar[float] = 1e-5

    def call(self, subject, clips):
        return subject.embed(clips)

    def assert_same(self, one, other):
        np.testing.assert_allclose(one, other, atol=self.tolerance)

    def test_rows_are_unit_vectors_or_nan(self, subject, clips, results):
        assert results.dtype == np.float32
        assert results.shape == (len(clips), subject.dim)
        lengths = np.linalg.norm(results, axis=1)
        assert all(np.isnan(row).all() or abs(length - 1) < 1e-4 for row, length in zip(results, lengths, strict=True))

    def test_no_clips_give_no_rows(self, subject):
        assert self.call(subject, []).shape == (0, subject.dim)

    @pytest.mark.parametrize("name", ["empty", "one sample", "silence", "not a number"])
    def test_no_voice_is_nan(self, subject, name):
        assert np.isnan(self.call(subject, [hard_clips()[name]])).all()

    def test_a_voice_is_a_vector(self, subject):
        for name, clip in self.speech().items():
            assert np.isfinite(self.call(subject, [clip])).all(), name

    def test_loudness_does_not_change_the_voice(self, subject):
        for name, clip in self.speech().items():
            loud, soft = self.call(subject, [clip, clip * np.float32(0.5)])
            assert loud @ soft > 0.9, name


def _locked(clip: Clip) -> Clip:
    locked = clip.copy()
    locked.flags.writeable = False
    return locked


def _covered(turn, others) -> bool:
    reached = turn.start_ms
    for other in others:
        if other.start_ms <= reached:
            reached = max(reached, other.end_ms)
    return reached >= turn.end_ms
