import pytest

from storage.records import Chunk, SpeakerBounds
from tasks.stages.facts import speakers_in_chunk

BOUNDS = SpeakerBounds(min_speakers=3, max_speakers=4)
AT_MOST = SpeakerBounds(max_speakers=4)


@pytest.mark.parametrize(
    ("is_mix", "start_ms", "end_ms", "stated_ms", "expected"),
    [
        (True, 0, 60_000, 60_000, BOUNDS),
        (True, 0, 60_000, 60_400, BOUNDS),
        (True, 0, 60_000, 600_000, AT_MOST),
        (True, 60_000, 120_000, 120_000, AT_MOST),
        (False, 0, 60_000, 60_000, AT_MOST),
        (True, 0, 60_000, None, AT_MOST),
    ],
)
def test_a_least_number_of_speakers_holds_for_the_whole_only(is_mix, start_ms, end_ms, stated_ms, expected):
    chunk = Chunk(channel=0, chunk_index=0, start_ms=start_ms, end_ms=end_ms, speech=())
    assert speakers_in_chunk(chunk, BOUNDS, stated_ms, is_mix=is_mix) == expected
