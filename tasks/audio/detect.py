"""Run the speech detector over what is to be cut."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import EngineError
from storage.records import Clip, Span
from tasks.audio.chunking import Detect
from tasks.engines.base import Detector
from tasks.stages.calling import call_each, check_speech


def detection_with(name: str, detector: Detector) -> Detect:
    """Return a function that finds the speech of a clip, and raises EngineError where the detector cannot."""

    def detect(clip: Clip) -> list[Span]:
        def call(_: Sequence[int]) -> list[list[Span]]:
            return [check_speech(name, detector.detect(clip), clip)]

        (outcome,) = call_each(name, call, [0])
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    return detect
