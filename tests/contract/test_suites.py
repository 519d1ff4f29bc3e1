"""The suites find what is broken: engines that break one promise each."""

from dataclasses import replace

import numpy as np
import pytest

from storage.records import Diarization, Span, Transcript
from tasks.engines.fake import FakeDetector, FakeDiarizer, FakeEmbedder, FakeTranscriber
from tests.contract.clips import tonal_speech
from tests.contract.suites import DetectorContract, DiarizerContract, EmbedderContract, TranscriberContract

CLIPS = list(tonal_speech().values())


class Swapped(FakeTranscriber):
    def transcribe(self, clips, contexts):
        return super().transcribe(clips, contexts)[::-1]


class Forgetful(FakeTranscriber):
    def transcribe(self, clips, contexts):
        return super().transcribe(clips, contexts)[:1]


class Vandal(FakeTranscriber):
    def transcribe(self, clips, contexts):
        result = super().transcribe(clips, contexts)
        for clip in clips:
            clip.fill(0)
        return result


class Unsorted(FakeTranscriber):
    def transcribe(self, clips, contexts):
        return [replace(heard, words=heard.words[::-1]) for heard in super().transcribe(clips, contexts)]


class Overlong(FakeTranscriber):
    def transcribe(self, clips, contexts):
        return [
            replace(heard, words=tuple(replace(word, end_ms=word.end_ms + 10_000) for word in heard.words))
            for heard in super().transcribe(clips, contexts)
        ]


class Certain(FakeTranscriber):
    def transcribe(self, clips, contexts):
        return [
            replace(heard, words=tuple(replace(word, confidence=1.01) for word in heard.words))
            for heard in super().transcribe(clips, contexts)
        ]


class Segmentless(FakeTranscriber):
    def transcribe(self, clips, contexts):
        return [Transcript(words=heard.words) for heard in super().transcribe(clips, contexts)]


class Overlapping(FakeDiarizer):
    def diarize(self, clips, contexts):
        return [Diarization(turns=heard.turns, exclusive=heard.turns) for heard in super().diarize(clips, contexts)]


class Crowded(FakeDiarizer):
    def diarize(self, clips, contexts):
        return super().diarize(clips, [replace(context, speakers=type(context.speakers)()) for context in contexts])


class Long(FakeEmbedder):
    def embed(self, clips):
        return super().embed(clips) * np.float32(2)


class Double(FakeEmbedder):
    def embed(self, clips):
        return super().embed(clips).astype(np.float64)


class Zero(FakeEmbedder):
    def embed(self, clips):
        return np.nan_to_num(super().embed(clips))


class Everything(FakeDetector):
    def detect(self, clip):
        return [Span(start_ms=0, end_ms=len(clip) // 16 + 1)]


@pytest.mark.parametrize(
    ("suite", "broken", "test"),
    [
        (TranscriberContract, Swapped, "test_one_result_per_clip_whatever_the_batch"),
        (TranscriberContract, Forgetful, "test_one_result_per_clip_whatever_the_batch"),
        (TranscriberContract, Vandal, "test_a_new_engine_hears_the_same_in_another_order_and_modifies_no_clip"),
        (TranscriberContract, Unsorted, "test_words_and_segments_are_inside_and_in_order"),
        (TranscriberContract, Overlong, "test_words_and_segments_are_inside_and_in_order"),
        (TranscriberContract, Certain, "test_confidences_are_probabilities_or_none"),
        (TranscriberContract, Segmentless, "test_words_have_text_and_a_segment_that_exists"),
        (DiarizerContract, Overlapping, "test_exclusive_turns_never_overlap_and_lie_in_turns"),
        (DiarizerContract, Crowded, "test_no_more_speakers_than_said"),
        (EmbedderContract, Long, "test_rows_are_unit_vectors_or_nan"),
        (EmbedderContract, Double, "test_rows_are_unit_vectors_or_nan"),
        (EmbedderContract, Zero, "test_rows_are_unit_vectors_or_nan"),
        (DetectorContract, Everything, "test_spans_are_sorted_disjoint_and_inside"),
    ],
)
def test_a_broken_promise_is_noticed(suite, broken, test):
    contract = type("Contract", (suite,), {"engine": broken})()
    subject = broken.from_options({}, device="cpu")
    clips = [clip.copy() for clip in (*CLIPS, np.zeros(16_000, dtype=np.float32))]
    available = {"subject": subject, "clips": clips, "limit": 1}
    method = getattr(contract, test)
    wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    if "results" in wanted:
        available["results"] = contract.call(subject, clips)
    with pytest.raises((AssertionError, ValueError)):
        method(**{name: available[name] for name in wanted})
