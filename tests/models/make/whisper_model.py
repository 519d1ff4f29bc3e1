"""A Whisper of under a million weights: its configuration, its forward pass and what it is trained to lose less of.

The weights live in transformers' own modules. The forward pass is written out because theirs wants 30 s of sound for
every sentence, and because one head of the decoder is taught to look at the word it writes: word times come from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, ctc_loss, gelu, log_softmax, scaled_dot_product_attention
from transformers import WhisperConfig, WhisperForConditionalGeneration

from tests.models.make.whisper_tokens import Tokens
from tests.models.make.whisper_windows import FRAMES_HZ, IGNORED, N_MELS, Target, Window

WIDTH, HEADS, ENCODER_LAYERS, DECODER_LAYERS, INNER = 96, 2, 3, 2, 256
ALIGNMENT_HEAD = (DECODER_LAYERS - 1, 0)
"""Layer and head of the decoder that look at the word."""
_ENCODER_HZ = FRAMES_HZ // 2
_SMOOTHING = 0.03
_CTC_WEIGHT, _ATTENTION_WEIGHT = 0.3, 0.3


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step of training needs, as tensors."""

    mels: Tensor
    """(windows, mels, frames)"""
    tokens: Tensor
    """(windows, positions)"""
    predicted: Tensor
    """(windows, positions), ``IGNORED`` where nothing is to be learnt."""
    attended: Tensor
    """(windows, positions, encoder frames); rows sum to 1, or to 0 where anything may be looked at."""
    said: Tensor
    """Numbers of the words said, from 1, of all windows one after the other."""
    n_said: Tensor
    """Words of each window."""


def make_model(tokens: Tokens) -> WhisperForConditionalGeneration:
    """Return an untrained model; the decoder's positions begin as waves, as the encoder's stay."""
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=tokens.tokenizer.get_vocab_size(), num_mel_bins=N_MELS, d_model=WIDTH,
            encoder_layers=ENCODER_LAYERS, decoder_layers=DECODER_LAYERS,
            encoder_attention_heads=HEADS, decoder_attention_heads=HEADS,
            encoder_ffn_dim=INNER, decoder_ffn_dim=INNER, dropout=0.0,
            bos_token_id=tokens.end_of_text, eos_token_id=tokens.end_of_text, pad_token_id=tokens.end_of_text,
            decoder_start_token_id=tokens.start, suppress_tokens=[], begin_suppress_tokens=[],
        )
    )  # fmt: skip
    positions = model.model.decoder.embed_positions.weight
    with torch.no_grad():
        positions.copy_(0.1 * model.model.encoder.embed_positions.weight[: len(positions)])
    return model


def make_batch(windows: Sequence[Window], mels: Tensor, targets: Sequence[Target], words: Sequence[str]) -> Batch:
    """Return the batch of some windows; ``words`` are all words that can be said."""
    longest = max(len(target.tokens) for target in targets)
    number = {word: i for i, word in enumerate(words, 1)}
    attended = torch.zeros(len(windows), longest, mels.shape[2] // 2)
    for row, target in zip(attended, targets, strict=True):
        _mark(row, target)
    return Batch(
        mels,
        _padded([target.tokens for target in targets], longest, 0),
        _padded([target.predicted for target in targets], longest, IGNORED),
        attended,
        torch.tensor([number[word.said] for window in windows for word in window.words], dtype=torch.long),
        torch.tensor([len(window.words) for window in windows]),
    )


def loss(model: WhisperForConditionalGeneration, listener: nn.Linear, batch: Batch) -> tuple[Tensor, float]:
    """Return the loss, and the share of tokens that would have been written right.

    Args:
        model: To be trained.
        listener: From the encoder's output to words; thrown away after training.
        batch: The windows.
    """
    heard = encode(model, batch.mels)
    states, log_attention = _decode(model, batch.tokens, heard)
    learnt = batch.predicted != IGNORED
    logits = states[learnt] @ model.proj_out.weight.T
    written = cross_entropy(logits, batch.predicted[learnt], label_smoothing=_SMOOTHING)
    looked = -(batch.attended * log_attention).sum() / batch.attended.sum().clamp(min=1)
    spoken = log_softmax(listener(heard), dim=2).transpose(0, 1)
    lengths = torch.full((len(heard),), heard.shape[1])
    understood = ctc_loss(spoken, batch.said, lengths, batch.n_said, zero_infinity=True)
    right = (logits.argmax(1) == batch.predicted[learnt]).float().mean().item()
    return written + _CTC_WEIGHT * understood + _ATTENTION_WEIGHT * looked, right


def encode(model: WhisperForConditionalGeneration, mels: Tensor) -> Tensor:
    """Return (windows, frames / 2, width)."""
    encoder = model.model.encoder
    x = gelu(encoder.conv2(gelu(encoder.conv1(mels)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    for layer in encoder.layers:
        x = x + _attend(layer.self_attn, layer.self_attn_layer_norm(x))
        x = x + layer.fc2(gelu(layer.fc1(layer.final_layer_norm(x))))
    return encoder.layer_norm(x)


def _decode(model: WhisperForConditionalGeneration, tokens: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
    """Return (windows, positions, width), and the log of what the head of the word times looks at."""
    decoder = model.model.decoder
    x = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[: tokens.shape[1]]
    log_attention = heard
    for i, layer in enumerate(decoder.layers):
        x = x + _attend(layer.self_attn, layer.self_attn_layer_norm(x), is_causal=True)
        asking = layer.encoder_attn_layer_norm(x)
        if i == ALIGNMENT_HEAD[0]:
            log_attention = _log_attention(layer.encoder_attn, asking, heard)
        x = x + _attend(layer.encoder_attn, asking, heard)
        x = x + layer.fc2(gelu(layer.fc1(layer.final_layer_norm(x))))
    return decoder.layer_norm(x), log_attention


def _attend(attention: Any, x: Tensor, other: Tensor | None = None, *, is_causal: bool = False) -> Tensor:
    other = x if other is None else other
    query, key, value = _heads(attention.q_proj(x)), _heads(attention.k_proj(other)), _heads(attention.v_proj(other))
    found = scaled_dot_product_attention(query, key, value, is_causal=is_causal)
    return attention.out_proj(found.transpose(1, 2).flatten(2))


def _log_attention(attention: Any, x: Tensor, other: Tensor) -> Tensor:
    head, depth = ALIGNMENT_HEAD[1], WIDTH // HEADS
    query, key = _heads(attention.q_proj(x))[:, head], _heads(attention.k_proj(other))[:, head]
    return log_softmax(query @ key.transpose(1, 2) / depth**0.5, dim=2)


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(2, (HEADS, -1)).transpose(1, 2)


def _mark(row: Tensor, target: Target) -> None:
    """Spread each position's attention evenly over the frames in which its word sounds."""
    n_frames = row.shape[1]
    for position, heard_s in enumerate(target.heard_s):
        if heard_s is not None:
            first = min(max(0, round(heard_s[0] * _ENCODER_HZ)), n_frames - 1)
            last = min(max(first + 1, round(heard_s[1] * _ENCODER_HZ)), n_frames)
            row[position, first:last] = 1 / (last - first)


def _padded(rows: Sequence[list[int]], length: int, filler: int) -> Tensor:
    return torch.tensor([row + [filler] * (length - len(row)) for row in rows])
