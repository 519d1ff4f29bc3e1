"""Owners of facts are a mapping like any other, only smaller."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.fact_owners import FactOwners

KEYS = st.tuples(st.sampled_from("abc"), st.sampled_from(["probe", "diarize"]), st.sampled_from(["r1", "r2"]))
OWNED = st.lists(st.tuples(KEYS, st.sampled_from(["c1", "c2", "c3"])), max_size=20)


def owners(facts, before=None, **kind):
    found = FactOwners(**kind) if before is None else before
    found.add((*key, commit_id) for key, commit_id in facts)
    return found


@given(OWNED, OWNED, st.booleans())
def test_the_latest_commit_owns_a_fact_in_whatever_order_they_come(first, then, is_compact):
    expected = {}
    for key, commit_id in [*first, *then]:
        expected[key] = max(commit_id, expected.get(key, ""))
    found = owners(then, before=owners(first, is_compact=is_compact))
    assert found == owners(first, before=owners(then)) == expected
    assert list(found) == sorted(expected)
    assert len(found) == len(expected)
    assert all(key in found for key in expected)
    assert ("a", "probe", "r3") not in found
    assert found.get(("d", "probe", "r1")) is None


def test_recordings_of_a_commit_share_what_is_kept_of_them():
    found = owners([(("a", "probe", "r1"), "c1"), (("b", "probe", "r1"), "c1")])
    assert found._of_recording.get("a") is found._of_recording.get("b")


def test_who_is_not_there_has_no_owner():
    with pytest.raises(KeyError):
        FactOwners()["a", "probe", "r1"]
