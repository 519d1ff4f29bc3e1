"""Decode pieces with faster-whisper: many at a time, and one again with more effort.

The library's own batched pipeline remembers where the piece before ended, so that times depend on what shares a batch;
here its model is called directly, and pieces of any clips may share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from storage.records import SAMPLE_RATE_HZ, Clip, Span, Word, ms_from_seconds, seconds_from_ms
from tasks.engines.devices import engine_errors
from tasks.engines.pieces import cut
from tasks.engines.whisper_gates import Heard
from tasks.engines.whisper_loading import NAME
from tasks.engines.whisper_options import WhisperOptions
from tasks.engines.whisper_sampling import sample
from tasks.engines.whisper_words import settle

_WINDOW_S = 30
_MOST_TOKENS = 224
"""Half of what the decoder has places for; the other half is the prompt's."""
_FORETOLD_TOKENS = 24
_OPENING, _CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"


class Piece:
    """A part of a clip that is decoded at a time, with the speech in it; all in clip time."""

    def __init__(self, clip: Clip, span: Span, speech: Sequence[Span]) -> None:
        """Take the samples of the span and what of the speech lies in it."""
        self.span = span
        self.samples = cut(clip, span)
        self.speech = tuple(
            Span(start_ms=max(one.start_ms, span.start_ms), end_ms=min(one.end_ms, span.end_ms))
            for one in speech
            if one.start_ms < span.end_ms and one.end_ms > span.start_ms
        )


class Decoder:
    """A model and how it is to search."""

    def __init__(self, model: Any, options: WhisperOptions) -> None:
        """Keep a ``faster_whisper.WhisperModel``."""
        self._model = model
        self._options = options
        self._tokenizers: dict[str, Any] = {}

    def detect_language(self, speech: Clip) -> tuple[str, float]:
        """Return the language of what is said, as Whisper calls it, and its probability."""
        with engine_errors(NAME, "detecting a language"):
            windows = self._options.language_windows
            code, probability, _ = self._model.detect_language(speech, language_detection_segments=windows)
        return str(code), float(probability)

    def decode(self, pieces: Sequence[Piece], language: str) -> list[Heard]:
        """Return what is likeliest in each piece.

        Raises:
            EngineOutOfMemory: fewer pieces at a time may fit.
            EngineError: the library failed.
        """
        with engine_errors(NAME, f"decoding {len(pieces)} pieces"):
            tokenizer, encoded = self._tokenizer(language), self._encode(pieces)
            prompts = [self._prompt(tokenizer)] * len(pieces)
            results = self._model.model.generate(encoded, prompts, **self._search(tokenizer))
            tokens = [list(result.sequences_ids[0]) for result in results]
            scores = [result.scores[0] * len(ids) / (len(ids) + 1) for result, ids in zip(results, tokens, strict=True)]
            silences = [result.no_speech_prob for result in results]
            return self._heard(pieces, encoded, tokenizer, list(zip(tokens, scores, silences, strict=True)))

    def decode_with_times(self, piece: Piece, language: str) -> Heard:
        """Return what Whisper writes when it has to say times as well, in as many windows as it wants."""
        with engine_errors(NAME, "decoding a piece with times"):
            options = self._options
            segments, _ = self._model.transcribe(
                piece.samples, language=language, task=options.task, temperature=[0.0], beam_size=options.beam_size,
                patience=options.patience, repetition_penalty=options.repetition_penalty,
                no_repeat_ngram_size=options.no_repeat_ngram_size, condition_on_previous_text=False,
                initial_prompt=options.initial_prompt, hotwords=options.hotwords, word_timestamps=True,
                compression_ratio_threshold=options.max_compression, log_prob_threshold=options.min_logprob,
                no_speech_threshold=options.max_no_speech,
            )  # fmt: skip
            found = list(segments)
        words = [_word(piece, w.word, w.start, w.end, w.probability) for s in found for w in s.words or ()]
        weights = [len(segment.tokens) + 1 for segment in found]
        return Heard(
            words=tuple(settle([word for word in words if word.text], piece.speech, piece.span)),
            text="".join(segment.text for segment in found).strip(),
            logprob=float(np.average([s.avg_logprob for s in found], weights=weights)) if found else 0.0,
            no_speech=max((segment.no_speech_prob for segment in found), default=1.0),
        )

    def samples(self, piece: Piece, language: str, temperature: float, no_speech: float) -> Iterator[Heard]:
        """Yield what chance makes of the model's scores at a temperature, ``best_of`` times."""
        with engine_errors(NAME, f"sampling at {temperature}"):
            tokenizer, encoded = self._tokenizer(language), self._encode([piece])
            prompt, search = self._prompt(tokenizer), {**self._search(tokenizer), "beam_size": 1}

            def foretell(tokens: Sequence[int]) -> Sequence[Any]:
                length = min(len(tokens) + _FORETOLD_TOKENS, _MOST_TOKENS)
                # The library writes half of max_length, or what the prompt leaves of it, whichever is less.
                room = max(2 * length, len(prompt) + length)
                wanted = {**search, "max_length": room, "return_logits_vocab": True}
                (result,) = self._model.model.generate(encoded, [[*prompt, *tokens]], **wanted)
                return [np.array(row) for row in result.logits[0][len(tokens) :]]

            for draw in range(self._options.best_of):
                found = sample(foretell, temperature, draw, end=tokenizer.eot, longest=_MOST_TOKENS)
                yield from self._heard([piece], encoded, tokenizer, [(list(found.tokens), found.logprob, no_speech)])

    def _encode(self, pieces: Sequence[Piece]) -> Any:
        from faster_whisper.audio import pad_or_trim

        mels = [self._model.feature_extractor(piece.samples)[..., :-1] for piece in pieces]
        return self._model.encode(np.stack([pad_or_trim(mel) for mel in mels]))

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if language not in self._tokenizers:
            model, task = self._model, self._options.task
            made = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task=task, language=language)
            self._tokenizers[language] = made
        return self._tokenizers[language]

    def _prompt(self, tokenizer: Any) -> list[int]:
        before = self._options.initial_prompt
        tokens = tokenizer.encode(f" {before.strip()}") if before else []
        prompt = self._model.get_prompt(tokenizer, tokens, without_timestamps=True, hotwords=self._options.hotwords)
        return list(prompt)

    def _search(self, tokenizer: Any) -> dict[str, Any]:
        from faster_whisper.transcribe import get_suppressed_tokens

        options = self._options
        return {
            "beam_size": options.beam_size,
            "patience": options.patience,
            "repetition_penalty": options.repetition_penalty,
            "no_repeat_ngram_size": options.no_repeat_ngram_size,
            "suppress_tokens": list(get_suppressed_tokens(tokenizer, [-1])),
            "max_length": 2 * _MOST_TOKENS,
            "return_scores": True,
            "return_no_speech_prob": True,
        }

    def _heard(
        self, pieces: Sequence[Piece], encoded: Any, tokenizer: Any, results: Sequence[tuple[list[int], float, float]]
    ) -> list[Heard]:
        """Return words with times for the tokens, log-probability and silence of each piece."""
        from faster_whisper.transcribe import merge_punctuations

        frames = [min(_WINDOW_S * 100, len(piece.samples) * 100 // SAMPLE_RATE_HZ) for piece in pieces]
        tokens = [[token for token in ids if token < tokenizer.eot] for ids, _, _ in results]
        aligned = self._model.find_alignment(tokenizer, tokens, encoded, frames)
        found = []
        for piece, ids, (_, logprob, no_speech), timings in zip(pieces, tokens, results, aligned, strict=True):
            merge_punctuations(timings, _OPENING, _CLOSING)
            words = [_word(piece, t["word"], t["start"], t["end"], t["probability"]) for t in timings]
            kept = settle([word for word in words if word.text], piece.speech, piece.span)
            text = tokenizer.decode(ids).strip()
            found.append(Heard(words=tuple(kept), text=text, logprob=float(logprob), no_speech=float(no_speech)))
        return found


def _word(piece: Piece, text: str, start_s: float, end_s: float, probability: float) -> Word:
    offset_s = seconds_from_ms(piece.span.start_ms)
    start_ms = ms_from_seconds(offset_s + float(start_s))
    return Word(
        start_ms=start_ms,
        end_ms=max(start_ms, ms_from_seconds(offset_s + float(end_s))),
        text=text.strip(),
        confidence=min(1.0, max(0.0, float(probability))),
    )
