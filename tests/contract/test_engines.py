from typing import ClassVar

from tasks.engines.fake import FakeDetector, FakeDiarizer, FakeEmbedder, FakeTranscriber
from tasks.engines.resemblyzers import ResemblyzerDiarizer, ResemblyzerEmbedder
from tasks.engines.silero import SileroDetector
from tasks.engines.sphinx import PocketSphinxTranscriber
from tests.contract.clips import babble, tonal_speech
from tests.contract.suites import DetectorContract, DiarizerContract, EmbedderContract, TranscriberContract


class TestFakeDetector(DetectorContract):
    engine = FakeDetector

    def speech(self):
        return tonal_speech()


class TestFakeTranscriber(TranscriberContract):
    engine = FakeTranscriber
    options: ClassVar = {"accent": "!", "delay_ms": 0}

    def speech(self):
        return tonal_speech()


class TestFakeDiarizer(DiarizerContract):
    engine = FakeDiarizer

    def speech(self):
        return tonal_speech()


class TestFakeEmbedder(EmbedderContract):
    engine = FakeEmbedder

    def speech(self):
        return tonal_speech()


class TestSilero(DetectorContract):
    engine = SileroDetector
    options: ClassVar = {"threshold": 0.4, "pad_ms": 100}

    def speech(self):
        return babble()


class TestPocketSphinx(TranscriberContract):
    engine = PocketSphinxTranscriber

    def speech(self):
        return babble()


class TestResemblyzerDiarizer(DiarizerContract):
    engine = ResemblyzerDiarizer

    def speech(self):
        return babble()


class TestResemblyzerEmbedder(EmbedderContract):
    engine = ResemblyzerEmbedder

    def speech(self):
        return babble()
