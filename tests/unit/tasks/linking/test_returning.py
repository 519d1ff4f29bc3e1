import numpy as np
import pytest

from tasks.linking.clusters import Clusters, Voices
from tasks.linking.local import name_local_speakers
from tasks.linking.returning import returning_share
from tasks.linking.speakers import link_speakers
from tasks.linking.voices import COMMON_PRIOR, VoiceScale
from tests.voices import columns, heard, row


def share_of(people):
    vectors = np.stack([heard(who, room=at, take=at) for at, who in enumerate(people)])
    chunks = [{at} for at in range(len(people))]
    noise = np.full(len(people), 0.5)
    voices = Voices(vectors=vectors, noise=noise, chunks=chunks, scale=VoiceScale(offset=0.0, dimensions=64.0))
    return returning_share(len(people), Clusters.of_each(voices, together_nats=10.0).near_pairs())


def test_who_returns_is_counted():
    assert share_of(range(60)) < 0.2
    assert share_of([*range(30), *range(30)]) > 0.8
    assert 0.3 < share_of([*range(40), *range(20)]) < 0.75


def test_one_voice_tells_nothing():
    assert 0.3 < share_of([1]) < 0.6


@pytest.mark.parametrize("n_recordings", [20, 40])
def test_where_nobody_returns_hardly_anybody_is_linked(n_recordings):
    rows = [
        row(f"r{number:02d}", label, heard(10 * number + at, room=number, noise=0.8))
        for number in range(n_recordings)
        for at, label in enumerate("ABC")
    ]
    links = link_speakers(name_local_speakers(columns(rows), COMMON_PRIOR), COMMON_PRIOR)
    assert len(set(links.speaker.tolist())) >= 0.95 * 3 * n_recordings
