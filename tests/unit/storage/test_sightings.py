"""Of each object of an archive the latest sighting counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.sightings import Sighting, Sightings

SEEN = st.builds(
    Sighting,
    archive=st.sampled_from(["/a", "/b"]),
    source=st.sampled_from([f"{name}.wav" for name in "defgh"]),
    size_bytes=st.integers(0, 1 << 50),
    mark=st.sampled_from(["", "1", "2"]),
    recording_id=st.sampled_from([None, "r1", "r2"]),
    at=st.integers(0, 4).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
)


@given(st.lists(SEEN, max_size=30), st.lists(SEEN, max_size=30), st.booleans())
def test_the_latest_counts_and_the_last_of_one_moment(first, then, is_compact):
    expected = {}
    for one in [*first, *then]:
        if one.key not in expected or expected[one.key].at <= one.at:
            expected[one.key] = one
    found, same = Sightings(is_compact=is_compact), Sightings()
    found.add(first)
    found.add(then)
    same.add(expected.values())
    assert {one.key: one for one in found} == expected
    assert len(list(found)) == len(expected)
    assert all(found.get(key) == one for key, one in expected.items())
    assert found.get(("/c", "d.wav")) is None
    assert found == same
    same.add([replace(one, mark="another") for one in expected.values()])
    assert (found == same) is (not expected)
