"""German sentences with a translation word by word, for a Whisper that detects languages and translates.

``python -m tests.models.make.german tests/speech`` makes the few that the tests hear, which no model was trained on.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from tests.media import write_media
from tests.models.make.corpus import Utterance
from tests.models.make.voices import RATE_HZ, say

VOICES = ("gmw/de", "gmw/de+m2", "gmw/de+f3", "gmw/de+m4")
_SENTENCES_PER_VOICE = 120
_TEST_PER_VOICE = 4
_TEST_SEED, _TRAINING_SEED = 17, 18
_PAUSE_S = 0.3
_OPUS_BIT_RATE = 32_000

_PEOPLE = {
    "kapitän": "captain", "lehrer": "teacher", "bauer": "farmer", "arzt": "doctor", "bruder": "brother",
    "soldat": "soldier", "nachbar": "neighbour",
}  # fmt: skip
_THINGS = {"brief": "letter", "korb": "basket", "schirm": "umbrella", "teppich": "blanket"}
_PLACES = {"garten": "garden", "fluss": "river", "markt": "market", "berg": "mountain", "bahnhof": "station"}
_DEEDS = {"malte": "painted", "öffnete": "opened", "verfolgte": "followed", "entdeckte": "discovered"}
_ADJECTIVES = {"alte": "old", "junge": "young", "kleine": "little", "schwere": "heavy", "gelbe": "yellow"}
_WHERE = {"unter": "under", "hinter": "behind", "neben": "beside"}
_WHEN = {"gestern": "yesterday", "manchmal": "sometimes"}
_HOW = {"langsam": "slowly", "wieder": "again", "zusammen": "together"}
_SMALL = {"der": "the", "den": "the", "dem": "the", "mein": "my", "ihren": "her", "wir": "we"}
_INFLECTED = {f"{word}n": english for word, english in _ADJECTIVES.items()}
DICTIONARY = {
    **_PEOPLE, **_THINGS, **_PLACES, **_DEEDS, **_ADJECTIVES, **_INFLECTED, **_WHERE, **_WHEN, **_HOW, **_SMALL,
}  # fmt: skip
"""Every German word and what it means."""


def translation(text: str) -> str:
    """Return the English of a German sentence, word by word."""
    return " ".join(DICTIONARY[word] for word in text.split())


def training_german() -> list[Utterance]:
    """Return about five hundred utterances; none says what the tests hear."""
    rng, forbidden = random.Random(_TRAINING_SEED), set(_test_texts())
    made = []
    for voice in VOICES:
        texts: set[str] = set()
        while len(texts) < _SENTENCES_PER_VOICE:
            texts.add(german_sentence(rng))
        made += _said(voice, sorted(texts - forbidden), rng)
    return made


def german_sentence(rng: random.Random) -> str:
    """Return a sentence of four to nine words, lower case, without punctuation."""
    shape = rng.randrange(3)
    if shape == 0:
        return f"{_someone(rng)} {_one(rng, _DEEDS)} {_something(rng)} {_one(rng, _WHERE)} dem {_one(rng, _PLACES)}"
    if shape == 1:
        return f"{_one(rng, _WHEN)} {_one(rng, _DEEDS)} {_someone(rng)} {_something(rng)}"
    return f"{_someone(rng)} {_one(rng, _DEEDS)} {_something(rng)} {_one(rng, _HOW)}"


def _someone(rng: random.Random) -> str:
    who = _one(rng, _PEOPLE)
    return rng.choice((f"der {who}", f"mein {who}", f"der {_one(rng, _ADJECTIVES)} {who}"))


def _something(rng: random.Random) -> str:
    what = _one(rng, _THINGS)
    return rng.choice((f"den {what}", f"ihren {what}", f"den {_one(rng, _INFLECTED)} {what}"))


def _one(rng: random.Random, words: dict[str, str]) -> str:
    return rng.choice(sorted(words))


@cache
def _test_texts() -> tuple[str, ...]:
    rng = random.Random(_TEST_SEED)
    return tuple(german_sentence(rng) for _ in range(_TEST_PER_VOICE * len(VOICES)))


def _said(voice: str, texts: Sequence[str], rng: random.Random) -> list[Utterance]:
    lines = [(text, say(voice, text, rng.uniform(0.85, 1.2))) for text in texts]
    return [Utterance(voice, text, line.samples, line.words) for text, line in lines if line]


def main(folder: Path) -> None:
    """Write the test's sentences as one Opus file with the truth beside it."""
    rng = random.Random(_TEST_SEED)
    texts = _test_texts()
    said = [u for i, voice in enumerate(VOICES) for u in _said(voice, texts[i :: len(VOICES)], rng)]
    pause = np.zeros(round(_PAUSE_S * RATE_HZ), np.float32)
    sounds, truth, at_ms = [], [], 0
    for utterance in said:
        clip = np.concatenate([pause, utterance.samples, pause])
        clip = clip[: len(clip) // (RATE_HZ // 1000) * (RATE_HZ // 1000)]
        words = [(round((_PAUSE_S + a) * 1000), round((_PAUSE_S + b) * 1000)) for a, b in utterance.words]
        end_ms = at_ms + len(clip) * 1000 // RATE_HZ
        english = translation(utterance.text)
        truth.append(
            {"start_ms": at_ms, "end_ms": end_ms, "voice": utterance.voice, "text": utterance.text,
             "english": english, "words": words}
        )  # fmt: skip
        sounds.append(clip)
        at_ms = end_ms
    write_media(folder / "german.opus", np.concatenate(sounds)[None], bit_rate=_OPUS_BIT_RATE)
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in truth)
    (folder / "german.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
