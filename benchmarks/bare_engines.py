"""What engines are measured beside: the call a user of the library would make, on the same pieces, with the same model.

A bare call does less: it gives no records, no confidence, no turns of our rules, and it is told where speech is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Clip, ClipContext
from tasks.engines import parakeet, titanet
from tasks.engines.hub import locate
from tasks.engines.nemo_models import restore_nemo
from tasks.engines.pieces import cut, pack, speech_pieces
from tasks.engines.voice_windows import window_starts

Heard = tuple[Sequence[Clip], Sequence[ClipContext]]
Bare = Callable[[], object]


def whisper_bare(engine: Any, _options: Mapping[str, object], _device: str, *heard: Any) -> Bare:
    """Return faster-whisper's batched pipeline with word times, clip by clip, on the adapter's pieces."""
    from faster_whisper import BatchedInferencePipeline

    pipeline, options = BatchedInferencePipeline(engine._decoder._model), engine._options
    pieces = [[_seconds(span) for span in spans] for spans in _pieces(*heard, options.join_ms, options.piece_ms)]

    def call() -> None:
        for clip, spans in zip(heard[0], pieces, strict=True):
            segments, _ = pipeline.transcribe(
                clip,
                language="en",
                beam_size=options.beam_size,
                word_timestamps=True,
                clip_timestamps=spans,
                batch_size=options.batch_size,
            )
            list(segments)

    return call


def parakeet_bare(_engine: Any, options: Mapping[str, object], device: str, *heard: Any) -> Bare:
    """Return NeMo's ``transcribe`` with times, all pieces in one call."""
    (source,) = parakeet.ParakeetTranscriber.weights(options)
    model = restore_nemo("parakeet", "ASRModel", locate(source), device)
    settings = parakeet.ParakeetOptions()
    spans = _pieces(*heard, settings.join_ms, settings.longest_ms)
    pieces = [cut(clip, span) for clip, own in zip(heard[0], spans, strict=True) for span in own]
    return lambda: model.transcribe(pieces, batch_size=settings.batch_size, timestamps=True, verbose=False)


def sortformer_bare(engine: Any, _options: Mapping[str, object], _device: str, *heard: Any) -> Bare:
    """Return NeMo's ``diarize`` with its activities."""
    model = engine._net._model
    how = {"sample_rate": SAMPLE_RATE_HZ, "batch_size": 1, "include_tensor_outputs": True, "verbose": False}
    return lambda: model.diarize(audio=list(heard[0]), **how)


def pyannote_bare(engine: Any, _options: Mapping[str, object], _device: str, *heard: Any) -> Bare:
    """Return the pipeline on each clip."""
    import torch

    files = [
        {"waveform": torch.from_numpy(np.array(clip))[None], "sample_rate": SAMPLE_RATE_HZ, "uri": str(i)}
        for i, clip in enumerate(heard[0])
    ]
    return lambda: [engine._pipeline(file) for file in files]


def titanet_bare(engine: Any, _options: Mapping[str, object], device: str, *heard: Any) -> Bare:
    """Return the model's ``forward`` on batches of windows that are tensors already."""
    import torch

    settings = titanet.TitanetOptions()
    length = settings.window_ms * SAMPLES_PER_MS
    windows = [clip[at : at + length] for clip in heard[0] for at in window_starts(len(clip), length)]
    batches = [
        torch.from_numpy(np.stack(windows[at : at + settings.batch_size])).to(device)
        for at in range(0, len(windows), settings.batch_size)
    ]
    lengths = [torch.full((len(batch),), batch.shape[1], device=device) for batch in batches]

    def call() -> None:
        with torch.inference_mode():
            for batch, n in zip(batches, lengths, strict=True):
                engine._model(input_signal=batch, input_signal_length=n)[1].cpu()

    return call


BARE: Mapping[str, Callable[..., Bare]] = {
    "whisper": whisper_bare,
    "parakeet": parakeet_bare,
    "sortformer": sortformer_bare,
    "pyannote": pyannote_bare,
    "titanet": titanet_bare,
}


def padding_share(name: str, clips: Sequence[Clip], contexts: Sequence[ClipContext]) -> float | None:
    """Return the per cent of the recogniser's batches that is padding; None for engines of windows of one length."""
    if name != "parakeet":
        return None
    settings = parakeet.ParakeetOptions()
    spans = _pieces(clips, contexts, settings.join_ms, settings.longest_ms)
    lengths = [span.duration_ms for own in spans for span in own]
    limits = {"max_items": settings.batch_size, "max_total": settings.max_batch_s * 1000}
    padded = sum(len(batch) * lengths[batch[0]] for batch in pack(lengths, **limits))
    return 100 * (1 - sum(lengths) / padded)


def _pieces(clips: Sequence[Clip], contexts: Sequence[ClipContext], join_ms: int, longest_ms: int) -> list[list[Any]]:
    return [
        speech_pieces(clip, context.speech, join_ms=join_ms, longest_ms=longest_ms)
        for clip, context in zip(clips, contexts, strict=True)
    ]


def _seconds(span: Any) -> dict[str, float]:
    return {"start": span.start_ms / 1000, "end": span.end_ms / 1000}
