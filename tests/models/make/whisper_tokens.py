"""A tokenizer with the layout that Whisper's has, for a small vocabulary: every known word is one token."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

LANGUAGES = ("en", "de")
_TIMESTAMPS = 1501
_S_PER_TIMESTAMP = 0.02


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokenizer, and the numbers of its special tokens."""

    tokenizer: Tokenizer
    end_of_text: int
    start: int
    translate: int
    transcribe: int
    previous: int
    no_speech: int
    no_timestamps: int

    def language(self, code: str) -> int:
        """Return the token of a language."""
        return self.tokenizer.token_to_id(f"<|{code}|>")

    def timestamp(self, seconds: float) -> int:
        """Return the token of a time."""
        return self.no_timestamps + 1 + min(_TIMESTAMPS - 1, round(seconds / _S_PER_TIMESTAMP))

    def text(self, word: str) -> list[int]:
        """Return the tokens of a word with the space before it."""
        return self.tokenizer.encode(f" {word}", add_special_tokens=False).ids


def make_tokens(words: Iterable[str]) -> Tokens:
    """Return a tokenizer of bytes and whole words.

    The order of the special tokens is Whisper's: its readers count on it. A model is multilingual for CTranslate2 if
    the empty text is among its tokens.
    """
    tokenizer = _with_empty_text(_trained(words))
    names = ("endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm", "startofprev",
             "nospeech", "notimestamps")  # fmt: skip
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in names])
    times = [f"<|{i * _S_PER_TIMESTAMP:.2f}|>" for i in range(_TIMESTAMPS)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    number = {name: tokenizer.token_to_id(f"<|{name}|>") for name in names}
    return Tokens(
        tokenizer,
        end_of_text=number["endoftext"],
        start=number["startoftranscript"],
        translate=number["translate"],
        transcribe=number["transcribe"],
        previous=number["startofprev"],
        no_speech=number["nospeech"],
        no_timestamps=number["notimestamps"],
    )


def _trained(words: Iterable[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=10_000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([f" {word}" for word in sorted(set(words))], trainer)
    return tokenizer


def _with_empty_text(tokenizer: Tokenizer) -> Tokenizer:
    written = json.loads(tokenizer.to_str())
    written["model"]["vocab"][""] = tokenizer.get_vocab_size()
    return Tokenizer.from_str(json.dumps(written))
