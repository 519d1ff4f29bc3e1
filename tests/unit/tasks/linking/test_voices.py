import numpy as np
import pytest

from tasks.linking.clusters import bar
from tasks.linking.evidence import VoiceGroups
from tasks.linking.local import name_local_speakers
from tasks.linking.quality import noise_of, quality_of
from tasks.linking.space import prior_space
from tasks.linking.speakers import LinkOptions
from tasks.linking.voices import PRIORS, normalised, prior_of, sums_by
from tests.voices import columns, row


def lowest_match(model, n_people, seconds=10):
    """Cosine from which two voices are taken for one person before anything is known of the archive."""
    space = prior_space(2, prior_of(model))
    noise = noise_of(quality_of(np.array([seconds * 1000] * 2)), space.noise)
    for cosine in np.arange(0, 1, 0.01):
        vectors = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]], dtype=np.float32)
        ratio = VoiceGroups(vectors, noise, space.scale).between(np.array([0]), np.array([1]))[0]
        if ratio > bar(n_people, LinkOptions().same_nats):
            return float(cosine)
    return 1.0


@pytest.mark.parametrize("model", PRIORS)
def test_the_more_people_the_nearer_a_match_must_be(model):
    among = [lowest_match(model, n_people) for n_people in (2, 100, 10_000)]
    assert among == sorted(among)
    assert prior_of(model).strangers < among[0] < among[-1] < prior_of(model).same_room


def test_titanet_links_where_nemo_takes_two_voices_for_one():
    assert 0.3 <= lowest_match("titanet/0123456789abcdef", 2) <= 0.4 <= lowest_match("titanet/0123456789abcdef", 10_000)


def test_priors_are_found_by_the_models_name():
    assert prior_of("resemblyzer-0.1.4").strangers > 0.5
    assert prior_of("titanet_large").strangers < 0.1
    assert prior_of("somebodys-own") == prior_of("titanet")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_centred_prior_keeps_its_order(share):
    prior = prior_of("resemblyzer").centred(share)
    assert 0 <= prior.strangers < prior.roommates < prior.same < prior.same_room <= 1


def test_what_has_no_length_is_no_vector():
    rows = normalised(np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1]]))
    assert rows[0].tolist() == pytest.approx([0.6, 0.8])
    assert np.isnan(rows[1:]).all()


def test_sums_by_group():
    assert sums_by(np.array([2, 0, 2]), np.eye(3), 4).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]]


def test_in_one_chunk_much_nearer_voices_are_two_people():
    def are_one(cosine, chunk):
        vectors = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]], dtype=np.float32)
        rows = [row("r", "A", vectors[0]), row("r", "B", vectors[1], chunk=chunk)]
        return len(name_local_speakers(columns(rows, dim=2), prior_of("titanet/0123456789abcdef"))) == 1

    cosines = np.arange(0, 1, 0.01)
    across, within = (next(cosine for cosine in cosines if are_one(cosine, chunk)) for chunk in (1, 0))
    assert 0.3 < across < 0.45
    assert within > 0.6
