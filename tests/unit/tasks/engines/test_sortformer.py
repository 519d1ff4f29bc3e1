"""The Sortformer adapter without its library: a net that hears tones, and as many of them as it has outputs."""

import json
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

from storage.errors import ConfigError, EngineError, EngineOutOfMemory, EngineUnavailable, UnknownEngine
from storage.records import ClipContext, Span, SpeakerBounds, Turn, duration_ms
from tasks.engines.options import parse_options
from tasks.engines.sortformer import SortformerDiarizer
from tasks.engines.sortformer_options import SortformerOptions
from tasks.engines.tones import voice_levels
from tests.tones import all_speech, tone_clip

VOICES_HZ = (300, 700, 1100, 1500, 1900, 2300)


class ToneNet:
    """Gives outputs to voices by arrival; those that come too late share the last one."""

    frame_ms = 80
    n_speakers = 4

    def __init__(self, *, is_streaming=True, fails_beyond=None):
        self.is_streaming = is_streaming
        self.batches = []
        self._fails_beyond = fails_beyond

    def activities(self, clips):
        self.batches.append([duration_ms(clip) for clip in clips])
        if self._fails_beyond is not None and len(clips) > self._fails_beyond:
            raise MemoryError
        return [self._activity(clip) for clip in clips]

    def _activity(self, clip):
        n_frames = -(-duration_ms(clip) // self.frame_ms)
        heard = np.zeros((n_frames * 8, len(voice_levels(clip)[:0].T)), np.float32)
        levels = voice_levels(clip)
        heard[: len(levels)] = levels > 0
        frames = heard.reshape(n_frames, 8, -1).mean(axis=1)
        arrivals = sorted(np.flatnonzero(frames.any(axis=0)), key=lambda column: int(frames[:, column].argmax()))
        activity = np.zeros((n_frames, self.n_speakers), np.float32)
        for output, column in enumerate(arrivals):
            last = min(output, self.n_speakers - 1)
            activity[:, last] = np.maximum(activity[:, last], frames[:, column])
        return activity


def diarizer(net=None, **options):
    return SortformerDiarizer(net or ToneNet(), parse_options("sortformer", SortformerOptions, options), device="cpu")


def long_talk():
    """Return a talk in which six voices take part, never more than three of them within a minute, and its turns."""
    sounds, at_ms = [], 400
    for first in range(len(VOICES_HZ) - 1):
        for turn in range(10):
            sounds.append((at_ms, at_ms + 2000, VOICES_HZ[first + turn % 2]))
            at_ms += 2480
    turns = tuple(Turn(start_ms=a, end_ms=b, speaker=str(hz)) for a, b, hz in sounds)
    return tone_clip(at_ms, sounds), turns, tuple(Span(start_ms=a, end_ms=b) for a, b, _ in sounds)


def test_turns_of_two_who_talk_at_once():
    clip = tone_clip(4000, [(400, 2400, 300), (1600, 3600, 1100)])
    (found,) = diarizer().diarize([clip], [ClipContext(speech=all_speech(clip))])
    assert [(turn.start_ms, turn.end_ms, turn.speaker) for turn in found.turns] == [
        (400, 2400, "S0"), (1600, 3600, "S1")
    ]  # fmt: skip
    assert all(turn.confidence > 0.99 for turn in found.turns)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(found.exclusive))
    assert found.flags == ()


class TestMoreVoicesThanOutputs:
    options: ClassVar = {"piece_ms": 40_000, "overlap_ms": 10_000}

    def test_pieces_tell_them_apart(self):
        clip, turns, speech = long_talk()
        (found,) = diarizer(**self.options).diarize([clip], [ClipContext(speech=speech)])
        assert found.flags == ("speaker_limit",)
        assert len(found.turns) == len(turns)
        names = {(theirs.speaker, mine.speaker) for theirs, mine in zip(turns, found.turns, strict=True)}
        assert len(names) == len(VOICES_HZ)
        assert all(abs(a.start_ms - b.start_ms) <= 80 for a, b in zip(turns, found.turns, strict=True))

    def test_without_a_fallback_they_share_an_output(self):
        clip, _, speech = long_talk()
        (found,) = diarizer(fallback="none").diarize([clip], [ClipContext(speech=speech)])
        assert found.flags == ("speaker_limit",)
        assert len({turn.speaker for turn in found.turns}) == 4

    def test_another_diarizer_may_hear_the_clip_again(self):
        clip, _, speech = long_talk()
        (found,) = diarizer(fallback="fake").diarize([clip], [ClipContext(speech=speech)])
        assert found.flags == ("speaker_limit",)
        assert len({turn.speaker for turn in found.turns}) == len(VOICES_HZ)

    def test_options_of_the_other_diarizer_reach_it(self):
        clip, _, speech = long_talk()
        troubled = json.dumps({"fail_on_hz": VOICES_HZ[5]})
        with pytest.raises(EngineError, match="as asked"):
            diarizer(fallback="fake", fallback_options=troubled).diarize([clip], [ClipContext(speech=speech)])

    def test_a_known_number_that_fits_is_believed(self):
        clip, _, speech = long_talk()
        context = ClipContext(speech=speech, speakers=SpeakerBounds(max_speakers=4))
        (found,) = diarizer(**self.options).diarize([clip], [context])
        assert found.flags == ()
        assert len({turn.speaker for turn in found.turns}) == 4

    def test_a_known_number_bounds_the_pieces_too(self):
        clip, _, speech = long_talk()
        context = ClipContext(speech=speech, speakers=SpeakerBounds(max_speakers=5))
        (found,) = diarizer(**self.options).diarize([clip], [context])
        assert len({turn.speaker for turn in found.turns}) == 5

    def test_four_are_no_more_than_four(self):
        sounds = [(400 + 4000 * i, 4000 + 4000 * i, VOICES_HZ[i % 4]) for i in range(30)]
        clip = tone_clip(121_000, sounds)
        speech = tuple(Span(start_ms=a, end_ms=b) for a, b, _ in sounds)
        plain, whole = (
            diarizer(**self.options, fallback=fallback).diarize([clip], [ClipContext(speech=speech)])[0]
            for fallback in ("none", "pieces")
        )
        assert whole == plain


def test_an_offline_model_hears_one_clip_at_a_time_and_long_ones_in_pieces():
    clip, turns, speech = long_talk()
    net = ToneNet(is_streaming=False)
    short = clip[: 16 * 20_000]
    found = diarizer(net, longest_offline_ms=40_000, overlap_ms=10_000, fallback="none", saturated_ms=100_000).diarize(
        [short, clip], [ClipContext(speech=all_speech(short)), ClipContext(speech=speech)]
    )
    assert all(len(batch) == 1 and batch[0] < 60_000 for batch in net.batches)
    assert len({turn.speaker for turn in found[0].turns}) == 2
    assert len(found[1].turns) == len(turns)


def test_a_streaming_model_hears_clips_of_like_length_together():
    net = ToneNet()
    clips = [tone_clip(length_ms, [(400, 2400, 300)]) for length_ms in (3000, 9000, 3040, 9000, 20_000)]
    diarizer(net, batch_size=2).diarize(clips, [ClipContext(speech=all_speech(clip)) for clip in clips])
    assert sorted(map(sorted, net.batches)) == [[3000, 3040], [9000, 9000], [20_000]]


def test_want_of_memory_is_said_as_such():
    clips = [tone_clip(3000, [(400, 2400, 300)])] * 2
    with pytest.raises(EngineOutOfMemory):
        diarizer(ToneNet(fails_beyond=1)).diarize(clips, [ClipContext(speech=all_speech(clip)) for clip in clips])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"onset": 0.4, "offset": 0.6}, "offset <= onset"),
        ({"mode": "sideways"}, "auto, streaming, offline"),
        ({"latency": "none"}, "very_high"),
        ({"fallback": "sortformer"}, "another diarizer"),
        ({"fallback_options": "[1]"}, "JSON object"),
        ({"fallback_options": "{"}, "JSON object"),
        ({"piece_ms": 20_000}, "twice overlap_ms"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_impossible_options_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        parse_options("sortformer", SortformerOptions, options)


def test_weights_are_those_of_the_hub_and_of_the_fallback():
    (own,) = SortformerDiarizer.weights({})
    assert (own.model, own.filename) == (
        "nvidia/diar_streaming_sortformer_4spk-v2",
        "diar_streaming_sortformer_4spk-v2.nemo",
    )
    assert SortformerDiarizer.weights({"fallback": "fake"}) == (own,)
    with pytest.raises(UnknownEngine, match="no_such"):
        SortformerDiarizer.weights({"fallback": "no_such"})


def test_a_model_that_is_not_here_is_said_before_any_work():
    with pytest.raises(EngineUnavailable, match="does not exist"):
        SortformerDiarizer.identify({"model": "/nowhere/model.nemo"})


def test_the_fallback_is_part_of_the_identity(tmp_path):
    weights = tmp_path / "any.nemo"
    weights.write_bytes(b"weights")
    plain = SortformerDiarizer.identify({"model": str(weights)})
    other = SortformerDiarizer.identify({"model": str(weights), "fallback": "fake"})
    assert json.loads(plain.options)["fallback"] == "pieces"
    assert json.loads(other.options)["fallback"]["name"] == "fake"
