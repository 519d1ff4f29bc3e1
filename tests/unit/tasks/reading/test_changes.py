"""What a run changed, by two publications."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from tasks.reading.archive_view import ArchiveView
from tasks.reading.changes import MOST_NAMES, changes_between, names

LINK = SimpleNamespace(n_new=1, n_grown=2, n_merged=3, n_split=4)
PUBLISH = SimpleNamespace(number=7, n_parts=9, n_parts_written=2)


def view(ids, *, present=None, failing=()):
    return ArchiveView(
        ids=ids,
        present=frozenset(ids if present is None else present),
        failures=tuple({"source": source} for source in failing),
    )


def changes(before, after):
    return changes_between(before, after, 42, LINK, PUBLISH)


def test_each_kind_of_change_is_told():
    before = view(
        {"same": "1", "edited": "2", "old name": "3", "deleted": "4", "heals": None, "breaks": "6"},
        failing=["heals"],
    )
    after = view(
        {**before.ids, "edited": "2b", "new name": "3", "fresh": "5", "heals": "8"},
        present=["same", "edited", "new name", "fresh", "heals", "breaks"],
        failing=["breaks"],
    )
    found = changes(before, after)
    assert found.added == (1, ("fresh",))
    assert found.changed == (1, ("edited",))
    assert found.moved == (1, ("new name",))
    assert found.gone == (1, ("deleted",))
    assert found.failed == (1, ("breaks",))
    assert found.recovered == (1, ("heals",))
    assert (found.still_failed, found.added_ms, found.publication) == (0, 42, 7)
    assert found.counts()["n_speakers_merged"] == 3


def test_what_failed_and_is_gone_has_not_recovered():
    before = view({"a": "1", "b": "2"}, failing=["a", "b"])
    after = view(before.ids, present=["b"], failing=["b"])
    found = changes(before, after)
    assert (found.recovered.n, found.still_failed, found.gone.some) == (0, 1, ("a",))


def test_the_first_run_adds_everything():
    found = changes(ArchiveView(), view({"a": "1", "b": None}, failing=["b"]))
    assert (found.added.n, found.failed.some, found.gone.n) == (2, ("b",), 0)


def test_names_are_some_and_their_number_is_all():
    found = names({f"{index:04}" for index in range(1000)})
    assert (found.n, len(found.some), found.some[0]) == (1000, MOST_NAMES, "0000")


VIEWS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["1", "2", "3", None]))


@given(VIEWS, VIEWS)
def test_nothing_is_told_twice(ids_before, ids_now):
    before, after = view(ids_before), view({**ids_before, **ids_now}, present=ids_now)
    found = changes(before, after)
    kinds = [set(one.some) for one in (found.added, found.moved, found.changed, found.gone)]
    assert sum(map(len, kinds)) == len(set().union(*kinds))
    assert found.added.n + found.moved.n == len(ids_now.keys() - ids_before.keys())
    assert changes(after, after).counts() == changes(ArchiveView(), ArchiveView()).counts()
