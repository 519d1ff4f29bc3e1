"""The loss of a transducer that predicts tokens and durations, for a CPU; NeMo has it for CUDA only.

Token-and-duration transducers (Xu et al., 2023, arXiv 2304.06795): at frame t, having said u tokens, the model says a
token or nothing and then skips d frames, with independent probabilities for the one and the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_NEVER = -1e9


def tdt_loss(
    activations: Tensor,
    targets: Tensor,
    frames: Tensor,
    tokens: Tensor,
    durations: Sequence[int],
    sigma: float = 0.02,
) -> Tensor:
    """Return the mean over the batch of the negative log-likelihood of a token.

    All that leads to (t, u) has a smaller t + u, so one step sums a whole diagonal.

    Args:
        activations: ``(B, T, U + 1, V + 1 + D)``: tokens, nothing, durations; normalised or not.
        targets: ``(B, U)``.
        frames: ``(B,)``, how many of T count.
        tokens: ``(B,)``, how many of U count.
        durations: The D durations in frames, from 0.
        sigma: Taken from each token's log-probability, so that few long steps beat many short ones.
    """
    silent, spoken, lasting = _log_probabilities(activations, targets, len(durations), sigma)
    silent, spoken, lasting = _by_diagonal(silent), _by_diagonal(spoken), _by_diagonal(lasting)
    batch, n_diagonals, n_states = silent.shape
    start = torch.full((batch, n_states), _NEVER)
    start[:, 0] = 0.0
    alphas = [start]
    for n in range(1, n_diagonals):
        ways = [
            alphas[n - d] + silent[:, n - d] + lasting[:, n - d, :, i] for i, d in enumerate(durations) if 0 < d <= n
        ]
        ways += [
            _said_one_more(alphas[n - d - 1] + spoken[:, n - d - 1] + lasting[:, n - d - 1, :, i])
            for i, d in enumerate(durations)
            if d < n
        ]
        alphas.append(torch.logsumexp(torch.stack(ways), 0))
    ends = _ends(torch.stack(alphas, 1) + silent, lasting, frames, tokens, durations)
    return (-ends / tokens.clamp(min=1)).mean()


def _log_probabilities(activations: Tensor, targets: Tensor, n_durations: int, sigma: float) -> tuple[Tensor, ...]:
    """Return ``(B, T, U + 1)`` for saying nothing and for the next token, ``(B, T, U + 1, D)`` for durations."""
    tokens = activations[..., :-n_durations].log_softmax(-1) - sigma
    durations = activations[..., -n_durations:].log_softmax(-1)
    following = targets[:, None, :, None].expand(-1, tokens.shape[1], -1, 1)
    spoken = tokens[:, :, :-1].gather(-1, following).squeeze(-1)
    nobody = torch.full_like(spoken[:, :, :1], _NEVER)
    return tokens[..., -1], torch.cat([spoken, nobody], 2), durations


def _by_diagonal(values: Tensor) -> Tensor:
    """Return ``(B, T + U + 1, U + 1, ...)`` whose entry (n, u) is (t = n - u, u), and never outside."""
    _, n_frames, n_states = values.shape[:3]
    t = torch.arange(n_frames + n_states)[:, None] - torch.arange(n_states)
    chosen = values[:, t.clamp(0, n_frames - 1), torch.arange(n_states)]
    outside = ((t < 0) | (t >= n_frames)).reshape(*t.shape, *[1] * (values.dim() - 3))
    return chosen.masked_fill(outside, _NEVER)


def _said_one_more(states: Tensor) -> Tensor:
    return torch.cat([torch.full_like(states[:, :1], _NEVER), states[:, :-1]], 1)


def _ends(silent: Tensor, lasting: Tensor, frames: Tensor, tokens: Tensor, durations: Sequence[int]) -> Tensor:
    """Return ``(B,)``: all tokens said, and a silent step that ends exactly after the last frame."""
    items, ways = torch.arange(len(frames)), []
    for i, d in enumerate(durations):
        if d > 0:
            n = (frames - d + tokens).clamp(min=0)
            way = silent[items, n, tokens] + lasting[items, n, tokens, i]
            ways.append(torch.where(frames >= d, way, _NEVER))
    return torch.logsumexp(torch.stack(ways), 0)
