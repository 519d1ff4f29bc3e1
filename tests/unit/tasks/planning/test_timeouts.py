"""How long a shard may take: by what its recordings may last, not only by what their headers say."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from storage.records import SourceHints, SourceObject
from tasks.planning.plan import PlannedRecording
from tasks.planning.timeouts import longest_ms, timeout_s
from tests.lakes import fake_spec

SPEC = fake_spec("archive", "lake")
HOUR_MS = 3_600_000


def planned(duration_ms, size_bytes):
    return PlannedRecording(
        obj=SourceObject(source="a.wav", size_bytes=size_bytes, mark="m"),
        hints=SourceHints(),
        recording_id=None,
        stages=(),
        hash_first=False,
        duration_ms=duration_ms,
    )


def test_an_hour_may_take_twenty_and_ten_minutes():
    assert timeout_s(SPEC, [planned(HOUR_MS, 10_000)]) == 20 * 3600 + 600


def test_a_header_that_says_too_little_is_not_believed():
    assert longest_ms(1000, 192 * HOUR_MS) == HOUR_MS
    assert longest_ms(0, 4 * HOUR_MS) == HOUR_MS


def test_without_a_factor_nothing_is_limited():
    assert timeout_s(replace(SPEC, timeout_factor=None), [planned(HOUR_MS, 1)]) is None


@given(
    recordings=st.lists(st.builds(planned, st.integers(0, 10 * HOUR_MS), st.integers(0, 10**9)), max_size=4),
    more=st.builds(planned, st.integers(0, 10 * HOUR_MS), st.integers(0, 10**9)),
)
def test_more_recordings_never_have_less_time(recordings, more):
    assert timeout_s(SPEC, [*recordings, more]) >= timeout_s(SPEC, recordings) >= 600
    assert timeout_s(SPEC, [more]) * 1000 >= 20 * more.duration_ms
