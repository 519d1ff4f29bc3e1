import uuid
from datetime import UTC, datetime, timedelta

import pytest

from storage.lake import Lake
from storage.publishing import write_whole
from storage.runs import RunRecord
from tasks.maintenance.clean import Age, is_replaced
from tasks.maintenance.maintain import maintain_lake
from tests.fact_lakes import commit_words, keys_of, let_pass, publish_index, what_is_read
from tests.text_lakes import publish_texts

NOW = datetime(2026, 1, 31, tzinfo=UTC)
AGE = Age(now=NOW, grace=timedelta(days=7))
A_DAY, A_WEEK = timedelta(days=1, hours=1), timedelta(days=7, hours=1)


@pytest.fixture
def lake():
    return Lake(f"memory://clean/{uuid.uuid4()}")


def maintained(lake, **options):
    report = maintain_lake(lake.url, **options)
    return report.deleted


def some_commits(lake, recordings="ABC"):
    return [commit_words(lake, recording_id, [recording_id]) for recording_id in recordings]


def test_commits_go_when_they_were_read_elsewhere_for_a_while():
    old, young = NOW - timedelta(days=8), NOW - timedelta(days=6)
    assert is_replaced(["a"], {"a": ["k"]}, {"k": old}, AGE)
    assert is_replaced(["a"], {"a": ["k", "l"]}, {"k": old, "l": young}, AGE)
    assert not is_replaced(["a"], {"a": ["k"]}, {"k": young}, AGE)
    assert not is_replaced(["a"], {}, {"k": old}, AGE)
    assert not is_replaced(["a"], {"a": ["k"]}, {}, AGE), "the copy is not all there"
    assert is_replaced(["a", "b"], {"a": ["k", "l"], "b": ["k", "m"]}, {"k": old, "l": old, "m": old}, AGE, "k")
    assert not is_replaced(["a", "b"], {"a": ["k", "l"], "b": ["k"]}, {"k": old, "l": old}, AGE, "k")
    assert not is_replaced(["a"], {"a": ["k", "l"]}, {"k": old, "l": young}, AGE, "k")
    assert not is_replaced(["a"], {"a": ["k", "l"]}, {"k": old, "l": old}, AGE, "l"), "it is read in the last"


def test_what_was_replaced_goes_after_the_grace_time(lake):
    commits = some_commits(lake)
    expected = what_is_read(lake, lake.state())
    assert maintained(lake) == {}
    let_pass(lake, A_WEEK)
    assert maintained(lake) == {"commits": 3, "facts": 3}
    assert not keys_of(lake) & {f"commits/{one.commit_id}.json" for one in commits}
    assert what_is_read(lake, lake.state()) == expected
    assert maintained(lake) == {}


def test_a_shorter_grace_time_can_be_asked_for(lake):
    some_commits(lake)
    assert maintained(lake, grace_days=0.0) == {"commits": 3, "facts": 3}


def test_nothing_goes_for_a_copy_that_is_not_all_there(lake):
    some_commits(lake)
    publish_index(lake)
    maintained(lake)
    (key,) = (key for key in keys_of(lake) if key.startswith("facts/sightings/"))
    lake.store.delete(key)
    let_pass(lake, A_WEEK)
    assert maintained(lake) == {}


def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(lake):
    lost, fresh = (commit_words(lake, one, ["x"]) for one in "AB")
    lake.store.delete(f"commits/{lost.commit_id}.json")
    let_pass(lake, A_DAY)
    lake.store.delete(f"commits/{fresh.commit_id}.json")
    lake.store.put(fresh.files["words"], lake.store.read(fresh.files["words"]))
    commit_words(lake, "C", ["x"])
    assert maintained(lake, grace_days=0.0) == {"facts": 1}
    assert fresh.files["words"] in keys_of(lake)


def test_publications_go_with_their_files_but_for_the_latest_and_who_may_be_read(lake):
    for recording_id in "ABCD":
        some_commits(lake, recording_id)
        publish_index(lake)
        let_pass(lake, timedelta(days=3))
    expected = what_is_read(lake, lake.state())
    assert maintained(lake)["publications"] == 1, "the first was followed 9 days ago, the second 6"
    assert lake.store.list("publications") == [f"{number:08d}.json" for number in (2, 3, 4)]
    wholes = {key for name in lake.store.list("publications") for key in read_wholes(lake, name)}
    assert {key for key in keys_of(lake) if key.startswith("published/")} == wholes
    let_pass(lake, timedelta(days=60))
    maintained(lake)
    assert lake.store.list("publications") == ["00000003.json", "00000004.json"]
    assert what_is_read(lake, lake.state()) == expected


def read_wholes(lake, name):
    return lake.store.read_json(f"publications/{name}")["wholes"].values()


def test_packs_are_made_and_stay_and_what_a_killed_packer_left_goes(tmp_path):
    publish_texts(tmp_path, 1, {f"p{index}": {f"R{index}": [("spk_1", "coal")]} for index in range(8)})
    lake, left = Lake(str(tmp_path)), "published/packs/words/killed-1.parquet"
    lake.store.put(left, b"")
    let_pass(lake, timedelta(days=30))
    report = maintain_lake(lake.url)
    assert (report.packed.n_packs, report.packed.n_parts) == (1, 8)
    packs = {key for key in keys_of(lake) if "packs/" in key}
    assert packs
    assert left not in packs
    let_pass(lake, timedelta(days=30))
    assert maintain_lake(lake.url).packed.n_packs == 0
    assert {key for key in keys_of(lake) if "packs/" in key} == packs


def test_a_table_that_may_be_about_to_go_is_written_again(lake):
    rows = [{"commit_id": "c", "table": "words", "key": "k"}]
    key = write_whole(lake, "commits", rows)
    some_commits(lake)
    let_pass(lake, timedelta(days=30))
    assert write_whole(lake, "commits", rows) == key
    assert maintained(lake, grace_days=0.0).get("published") is None
    let_pass(lake, timedelta(days=2))
    assert maintained(lake, grace_days=0.0)["published"] == 1


def test_links_stay_as_long_as_they_may_be_published(lake):
    some_commits(lake)
    publish_index(lake)
    useful, useless = (write_whole(lake, "choices", []), write_whole(lake, "scores", []))
    lake.store.put_json("linked/a.json", {"base_number": 1, "wholes": {"choices": useful}})
    lake.store.put_json("linked/b.json", {"base_number": 0, "wholes": {"scores": useless}})
    let_pass(lake, timedelta(days=30))
    maintained(lake)
    assert {"linked/a.json", useful} <= keys_of(lake)
    assert not {"linked/b.json", useless} & keys_of(lake)


def test_plans_of_the_past_go(lake):
    some_commits(lake)
    runs = {"1": ("a", NOW), "2": ("a", None), "3": ("a", NOW), "4": ("b", NOW), "5": ("c", NOW), "6": ("c", NOW)}
    for run_id, (archive, ended_at) in runs.items():
        lake.store.put_json(f"plans/{run_id}.json", {})
        lake.write_run(
            RunRecord(
                run_id=run_id,
                started_at=NOW,
                ended_at=ended_at,
                profile="p",
                settings={"archive": archive},
                versions={},
            )
        )
    lake.store.put_json("plans/0.json", {})  # killed before it had a record
    let_pass(lake, A_WEEK)
    assert maintained(lake)["plans"] == 2
    assert lake.store.list("plans") == ["0.json", "2.json", "3.json", "4.json", "6.json"]
    let_pass(lake, timedelta(days=30))
    maintained(lake)
    assert lake.store.list("plans") == ["3.json", "4.json", "6.json"], "the latest of each archive"
    assert len(lake.store.list("runs")) == 6


def test_half_a_comparison_goes(lake):
    some_commits(lake)
    for key in ("disagreements/one.parquet", "disagreements/two.parquet", "comparisons/two.parquet"):
        lake.store.put(key, b"")
    let_pass(lake, A_WEEK)
    maintained(lake)
    assert "disagreements/one.parquet" not in keys_of(lake)
    assert {"disagreements/two.parquet", "comparisons/two.parquet"} <= keys_of(lake)


def test_a_dry_run_says_it_and_changes_nothing(tmp_path):
    lake = Lake(str(tmp_path))
    some_commits(lake)
    maintained(lake)
    let_pass(lake, A_WEEK)
    commit_words(lake, "D", ["x"])
    before = keys_of(lake)
    told = maintain_lake(lake.url, is_dry_run=True)
    assert keys_of(lake) == before
    done = maintain_lake(lake.url)
    assert told.deleted == done.deleted == {"commits": 3, "facts": 3}
    assert told.compacted == done.compacted
    assert told.freed_bytes == done.freed_bytes > 0
    assert done.n_files_after == len(keys_of(lake))
