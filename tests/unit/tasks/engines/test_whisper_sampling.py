"""Sampling that repeats itself."""

import numpy as np
import pytest

from tasks.engines.whisper_sampling import sample

END, N_TOKENS = 4, 6
SCORES = np.random.default_rng(1).normal(0, 1.5, (N_TOKENS, N_TOKENS))


def scores_after(tokens):
    """Return scores that depend on the last token alone; those above the end are impossible."""
    row = SCORES[tokens[-1] if tokens else 5].copy()
    row[END + 1 :] = -np.inf
    return row


def foretelling(n_ahead, asked=None):
    """Return a model that goes on greedily for a number of tokens, and counts how often it is asked."""

    def foretell(tokens):
        if asked is not None:
            asked.append(len(tokens))
        rows, at = [], list(tokens)
        for _ in range(n_ahead):
            rows.append(scores_after(at))
            at.append(int(rows[-1].argmax()))
            if at[-1] == END:
                break
        return rows

    return foretell


def test_the_same_attempt_gives_the_same_text():
    one, again = (sample(foretelling(8), 0.8, 3, end=END, longest=50) for _ in range(2))
    assert one == again


@pytest.mark.parametrize("draw", range(20))
def test_looking_ahead_changes_nothing(draw):
    ahead = sample(foretelling(8), 0.7, draw, end=END, longest=50)
    step_by_step = sample(foretelling(1), 0.7, draw, end=END, longest=50)
    assert ahead.tokens == step_by_step.tokens
    assert ahead.logprob == pytest.approx(step_by_step.logprob)


def test_looking_ahead_saves_asking():
    asked, slowly = [], []
    sample(foretelling(8, asked), 0.2, 1, end=END, longest=50)
    sample(foretelling(1, slowly), 0.2, 1, end=END, longest=50)
    assert len(asked) < len(slowly)


def test_attempts_differ():
    assert len({sample(foretelling(8), 1.0, draw, end=END, longest=50).tokens for draw in range(20)}) > 5


def test_little_temperature_is_almost_greedy():
    greedy, at = [], []
    while (choice := int(scores_after(at).argmax())) != END and len(greedy) < 50:
        greedy.append(choice)
        at.append(choice)
    assert sample(foretelling(8), 1e-6, 0, end=END, longest=50).tokens == tuple(greedy)


def test_tokens_come_as_often_as_their_scores_say():
    firsts = [sample(foretelling(8), 1.0, draw, end=END, longest=1) for draw in range(4000)]
    counts = np.bincount([one.tokens[0] if one.tokens else END for one in firsts], minlength=N_TOKENS) / 4000
    scores = scores_after([])
    expected = np.exp(scores - scores.max())
    np.testing.assert_allclose(counts, expected / expected.sum(), atol=0.03)


def test_a_text_has_an_end_even_without_one():
    never = sample(lambda tokens: [np.array([1.0, 0.0])], 1.0, 0, end=9, longest=7)
    assert len(never.tokens) == 7
    assert sample(lambda tokens: [], 1.0, 0, end=9, longest=7).tokens == ()
