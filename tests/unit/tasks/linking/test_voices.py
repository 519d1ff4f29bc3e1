import pytest

from tasks.linking.local import LocalLinkOptions
from tasks.linking.speakers import LinkOptions
from tasks.linking.voices import prior_of


def test_titanet_links_recordings_where_nemo_takes_two_voices_for_one():
    assert prior_of("titanet/0123456789abcdef").cosine(LinkOptions().same) == pytest.approx(0.4, abs=0.01)


def test_in_one_recording_more_is_asked_and_in_one_chunk_most():
    prior, local = prior_of("titanet/0123456789abcdef"), LocalLinkOptions()
    assert 0.4 < prior.cosine(local.same) < 0.5
    assert prior.cosine(local.very_clear) > 0.6
