import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.compactions import read_compactions
from storage.errors import StorageError
from storage.lake import Lake
from storage.store import Store
from tasks.maintenance.compact import compact_facts
from tests.fact_lakes import commit_words, keys_of, publish_index, sighting, what_is_read


@pytest.fixture(params=["local", "memory"])
def lake(request, tmp_path):
    return Lake(str(tmp_path / "lake") if request.param == "local" else f"memory://{tmp_path.name}-compactions")


def some_commits(lake):
    for at, recording_id in enumerate("EBDAC"):
        commit_words(lake, recording_id, [f"{recording_id}{n}" for n in range(3)], run_id=f"run{at % 2}", fails=at > 2)
    commit_words(lake, "A", ["again"], run_id="run2", fails=True)
    commit_words(lake, "B", ["other"], recipe="r2", run_id="run2")
    lake.write_commit("run2", {}, [], [sighting("empty.wav", None)])


def texts(lake, state, *keys, columns=None):
    return lake.facts("words", state, [(one, "transcribe", recipe) for one, recipe in keys], columns)[
        "text"
    ].to_pylist()


def test_nothing_that_is_read_changes(lake):
    some_commits(lake)
    before = lake.state()
    expected = what_is_read(lake, before)
    report = compact_facts(lake)
    after = lake.state()
    assert (report.n_commits, report.n_compactions) == (8, 1)
    assert what_is_read(lake, after) == expected
    assert what_is_read(lake, before) == expected, "old states go on reading old files"
    assert len({files["words"] for files in after.commits.values()}) == 1
    assert after.has_unpublished_commits


def test_of_a_key_the_rows_of_its_owner_are_read(lake):
    some_commits(lake)
    compact_facts(lake)
    state = lake.state()
    assert texts(lake, state, ("A", "r1")) == ["again"]
    assert texts(lake, state, ("B", "r1")) == ["B0", "B1", "B2"]
    assert texts(lake, state, ("B", "r2")) == ["other"]
    assert texts(lake, state, ("E", "r1"), ("nobody", "r1"), columns=["text"]) == ["E0", "E1", "E2"]


def test_what_a_commit_did_for_two_recipes_is_told_apart(lake):
    rows = [("A", "one", "r1"), ("A", "two", "r2")]
    one, two = (commit_words(lake, name, [text], recipe=recipe) for name, text, recipe in rows)
    both = [lake.store.read_table(commit.files["words"]).to_pylist()[0] for commit in (one, two)]
    lake.write_commit("run", {"words": both}, [("A", "transcribe", "r1"), ("A", "transcribe", "r2")], [])
    assert texts(lake, lake.state(), ("A", "r2")) == ["two"]
    compact_facts(lake)
    assert texts(lake, lake.state(), ("A", "r2")) == ["two"]


def test_a_publication_points_to_the_compaction(lake):
    some_commits(lake)
    publish_index(lake)
    compact_facts(lake)
    assert not lake.state().has_unpublished_commits
    expected = what_is_read(lake, lake.state())
    publication = publish_index(lake)
    index = lake.whole(publication, "commits").to_pylist()
    (compaction,) = read_compactions(lake.store)
    assert {(row["table"], row["key"]) for row in index} == {("", f"compactions/{compaction.compaction_id}.json")}
    assert what_is_read(lake, lake.state()) == expected


def test_a_compaction_stands_for_its_commits_alone(lake):
    some_commits(lake)
    expected = what_is_read(lake, lake.state())
    compact_facts(lake)
    for name in lake.store.list("commits"):
        lake.store.delete(f"commits/{name}")
    assert what_is_read(lake, lake.state()) == expected
    known = sorted(lake.state().commits)[:3]
    assert sorted(lake.state(known=known).commits) == known


def test_a_compaction_that_is_gone_is_said(lake):
    some_commits(lake)
    compact_facts(lake)
    publish_index(lake)
    for folder in ("commits", "compactions"):
        for name in lake.store.list(folder):
            lake.store.delete(f"{folder}/{name}")
    with pytest.raises(StorageError, match="backup"):
        lake.state()


def test_compactions_that_overlap_are_read_once(lake, monkeypatch):
    some_commits(lake)
    expected = what_is_read(lake, lake.state())
    seen = lake.state()
    monkeypatch.setattr(Lake, "state", lambda _: seen)
    compact_facts(lake)
    monkeypatch.undo()
    commit_words(lake, "F", ["late"])
    monkeypatch.setattr(lake, "state", lambda: seen)  # somebody who began before
    compact_facts(lake)
    monkeypatch.undo()
    assert len(read_compactions(lake.store)) == 2
    assert [row for row in what_is_read(lake, lake.state())["words"] if "late" not in row] == expected["words"]
    assert len(what_is_read(lake, lake.state())["failures"]) == len(expected["failures"])
    compact_facts(lake)
    assert len(what_is_read(lake, lake.state())["words"]) == len(expected["words"]) + 1


def test_compactions_that_share_some_commits_are_read_once(lake, monkeypatch):
    some_commits(lake)
    expected = what_is_read(lake, lake.state())
    seen = lake.state()
    for chosen in (slice(5), slice(3, None)):
        monkeypatch.setattr("tasks.maintenance.compact.choose_groups", lambda units, chosen=chosen: [units[chosen]])
        monkeypatch.setattr(lake, "state", lambda: seen)
        compact_facts(lake)
    monkeypatch.undo()
    assert len(set(lake.state().compacted.values())) == 2
    assert what_is_read(lake, lake.state()) == expected
    commit_words(lake, "F", ["late"])
    assert compact_facts(lake).n_compactions == 1
    after = what_is_read(lake, lake.state())
    assert [row for row in after["words"] if "late" not in row] == expected["words"]
    assert after["failures"] == expected["failures"]


def test_what_another_version_wrote_stays_as_it_is(tmp_path):
    lake = Lake(str(tmp_path))
    some_commits(lake)
    old = commit_words(lake, "old", ["x"])
    rows = lake.store.read_table(old.files["words"])
    lake.store.write_table(old.files["words"], rows.drop_columns(["segment_index"]))
    assert compact_facts(lake).n_commits == 8
    assert old.commit_id not in lake.state().compacted
    assert compact_facts(lake).n_commits == 0


def test_a_dry_run_writes_nothing(tmp_path):
    lake = Lake(str(tmp_path))
    some_commits(lake)
    before = keys_of(lake)
    assert compact_facts(lake, is_dry_run=True).n_commits == 8
    assert keys_of(lake) == before


def test_only_the_row_groups_that_are_wanted_are_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.compactions._GROUP_ROWS", 2)
    lake = Lake(str(tmp_path))
    for run in range(3):
        for recording_id in (f"{number}{run}" for number in range(5)):
            commit_words(lake, recording_id, ["a", "b"], run_id=f"run{run}")
    compact_facts(lake)
    chosen = []
    read = Store.read_groups

    def counted(self, key, schema, choose):
        def noted(metadata):
            chosen.append((metadata.num_row_groups, len(choose(metadata))))
            return choose(metadata)

        return read(self, key, schema, noted)

    monkeypatch.setattr(Store, "read_groups", counted)
    assert len(texts(lake, lake.state(), ("31", "r1"))) == 2
    assert chosen == [(15, 1)]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.sampled_from(["r1", "r2"]), st.integers(0, 3), st.booleans()),
        min_size=2,
        max_size=6,
    ),
    st.data(),
)
def test_any_commits_compacted_at_any_times_are_read_as_they_were(commits, data):
    lake, alone = (Lake(f"memory://any-commits/{uuid.uuid4()}") for _ in range(2))
    for recording_id, recipe, n_words, fails in commits:
        for one in (lake, alone):
            commit_words(one, recording_id, [f"w{n}" for n in range(n_words)], recipe=recipe, fails=fails)
        if data.draw(st.booleans()):
            compact_facts(lake)
        if data.draw(st.booleans()):
            publish_index(lake)
    found, expected = (with_numbered_commits(what_is_read(one, one.state())) for one in (lake, alone))
    assert found == expected


def with_numbered_commits(read):
    number = {commit_id: at for at, commit_id in enumerate(read["commits"])}
    done = {key: number[commit_id] for key, commit_id in read["done"].items()}
    failures = [(number[commit_id], row) for commit_id, row in read["failures"]]
    return {**read, "commits": len(number), "done": done, "failures": failures}
