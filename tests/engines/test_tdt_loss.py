"""The loss that the small TDT recogniser is trained with, against the plain sum over all ways to say the text."""

import pytest

DURATIONS = (0, 1, 2, 3, 4)
SIGMA = 0.02


def plain_loss(activations, targets, n_frames, n_tokens):
    """Return the loss of one item, one state at a time."""
    import torch

    says = activations[..., : -len(DURATIONS)].log_softmax(-1) - SIGMA
    lasts = activations[..., -len(DURATIONS) :].log_softmax(-1)
    alphas = {(0, 0): torch.tensor(0.0)}
    for total in range(1, n_frames + n_tokens + 1):
        for u in range(min(total, n_tokens) + 1):
            ways = []
            for index, duration in enumerate(DURATIONS):
                before = total - u - duration
                if 0 <= before < n_frames and duration > 0 and (before, u) in alphas:
                    ways.append(alphas[before, u] + says[before, u, -1] + lasts[before, u, index])
                if 0 <= before < n_frames and total - u < n_frames and (before, u - 1) in alphas:
                    said = says[before, u - 1, targets[u - 1]]
                    ways.append(alphas[before, u - 1] + said + lasts[before, u - 1, index])
            if ways:
                alphas[total - u, u] = torch.logsumexp(torch.stack(ways), 0)
    return -alphas[n_frames, n_tokens] / max(1, n_tokens)


@pytest.mark.parametrize("seed", range(3))
def test_all_ways_are_counted_once(seed):
    import torch

    from tests.models.make.tdt_loss import tdt_loss

    generator = torch.Generator().manual_seed(seed)
    activations = torch.randn(3, 7, 5, 6 + len(DURATIONS), generator=generator, requires_grad=True)
    targets = torch.randint(0, 5, (3, 4), generator=generator)
    frames, tokens = torch.tensor([7, 5, 6]), torch.tensor([4, 2, 0])
    loss = tdt_loss(activations, targets, frames, tokens, DURATIONS, SIGMA)
    items = zip(activations, targets, frames.tolist(), tokens.tolist(), strict=True)
    expected = torch.stack([plain_loss(*item) for item in items]).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    (ours,) = torch.autograd.grad(loss, activations)
    (theirs,) = torch.autograd.grad(expected, activations)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
