import numpy as np
import pytest

from tasks.linking.clusters import bar
from tasks.linking.evidence import VoiceGroups, VoiceScale
from tasks.linking.local import LocalLinkOptions
from tasks.linking.quality import LASTING, noise_for, noise_of, quality_of
from tasks.linking.speakers import LinkOptions
from tasks.linking.voices import COMMON_PRIOR, has_voice, normalised, prior_of, sums_by

TITANET = "titanet/0123456789abcdef"


def cosine_where(nats, *, strangers, same, lasting):
    """Return the cosine at which that much speaks for two voices of ten seconds being one person."""
    scale = VoiceScale(offset=strangers, dimensions=prior_of(TITANET).dimensions)
    noise = noise_for((same - strangers) / (1 - strangers), lasting)
    cosines = np.linspace(0, 1, 1_001)
    vectors = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)
    vectors = np.concatenate([np.array([[1.0, 0.0]], np.float32), vectors])
    groups = VoiceGroups(vectors, noise_of(quality_of(np.full(1_002, 10_000)), noise, lasting), scale)
    ratio = groups.between(np.zeros(1_001, np.int64), np.arange(1, 1_002))
    return float(cosines[np.flatnonzero(ratio > nats)[0]])


def test_among_a_thousand_people_titanet_links_two_voices_where_nemo_takes_them_for_one():
    prior = prior_of(TITANET)
    bars = [bar(count, LinkOptions().same_nats) for count in (20, 1_000, 50_000)]
    few, many, crowds = (
        cosine_where(nats, strangers=prior.strangers, same=prior.same, lasting=LASTING) for nats in bars
    )
    assert 0.3 < few < many < crowds < 0.5
    assert many == pytest.approx(0.4, abs=0.02)


def test_in_one_chunk_much_more_is_asked_than_in_one_recording():
    prior, options = prior_of(TITANET), LocalLinkOptions()
    scale = {"strangers": prior.roommates, "same": prior.same_room, "lasting": 0.0}
    assert 0.3 < cosine_where(options.same_nats, **scale) < 0.45
    assert cosine_where(options.same_nats + options.very_clear_nats, **scale) > 0.6


def test_priors_are_found_by_the_models_name():
    assert prior_of("resemblyzer-0.1.4").strangers > 0.5
    assert prior_of("titanet_large").strangers < 0.1
    assert prior_of("somebodys-own") is COMMON_PRIOR


def test_what_has_no_direction_is_no_voice():
    rows = normalised(np.array([[3.0, 4.0], [0.0, 0.0], [np.inf, 1.0], [np.nan, 1.0], [1e-20, 0.0]]))
    assert rows[0].tolist() == pytest.approx([0.6, 0.8])
    assert has_voice(rows).tolist() == [True, False, False, False, False]
    assert has_voice(np.zeros((2, 0))).tolist() == [False, False]


def test_sums_of_groups_without_rows_are_nothing():
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
    assert sums_by(np.array([2, 0, 2]), rows, 4).tolist() == [[3, 4], [0, 0], [6, 8], [0, 0]]
