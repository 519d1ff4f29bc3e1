import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.schemas import WHOLES, table_of
from tasks.linking.ids import LineageEvent, new_id
from tasks.linking.speaker_table import lineage_table, speaker_table


def links_of(*rows):
    """Links given as (recording, speaker_id, speech_ms)."""
    columns = ("recording_id", "speaker_id", "speech_ms")
    local = [{**dict(zip(columns, row, strict=True)), "local_speaker": f"S{at}"} for at, row in enumerate(rows)]
    return table_of(local, WHOLES["links"])


def speakers_of(links, *, before=None, events=(), number=1, forgotten=(), dates=None):
    dated = {"recording_id": list(dates or {}), "recorded_at": list((dates or {}).values())}
    table = speaker_table(
        links,
        pa.table({name: pa.array(column, pa.string()) for name, column in dated.items()}),
        WHOLES["speakers"].empty_table() if before is None else before,
        events,
        number=number,
        forgotten=frozenset(forgotten),
        fragment_ms=5_000,
    )
    assert table.schema == WHOLES["speakers"]
    return table


def became(one, other):
    return LineageEvent(speaker_id=one, change="merged_into", other_id=other)


def by_id(table):
    return {row["speaker_id"]: row for row in table.to_pylist()}


def test_a_person_is_counted():
    links = links_of(("r0", "spk_a", 4_000), ("r1", "spk_a", 2_000), ("r1", "spk_a", 500), ("r1", None, 9_000))
    (row,) = speakers_of(links, dates={"r0": "1999-01-01", "r1": "1989-01-01"}).to_pylist()
    assert row == {
        "speaker_id": "spk_a",
        "status": "person",
        "n_recordings": 2,
        "speech_ms": 6_500,
        "since": 1,
        "first_seen": "1989-01-01",
        "last_seen": "1999-01-01",
        "merged_into": None,
    }


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([("r0", "spk_a", 4_999)], "fragment"),
        ([("r0", "spk_a", 5_000)], "person"),
        ([("r0", "spk_a", 1_000), ("r0", "spk_a", 1_000)], "fragment"),
        ([("r0", "spk_a", 1_000), ("r1", "spk_a", 1_000)], "person"),
    ],
)
def test_little_speech_in_one_recording_is_a_fragment(rows, status):
    assert [row["status"] for row in speakers_of(links_of(*rows)).to_pylist()] == [status]


def test_who_is_not_heard_any_more_is_gone_and_keeps_the_id():
    first = speakers_of(links_of(("r0", "spk_a", 9_000)))
    (row,) = speakers_of(links_of(), before=first, number=2).to_pylist()
    assert (row["status"], row["since"], row["n_recordings"], row["speech_ms"]) == ("gone", 1, 0, 0)


def test_who_was_forgotten_is_gone_for_good():
    first = speakers_of(links_of(("r0", "spk_a", 9_000)))
    (row,) = speakers_of(links_of(), before=first, forgotten=["spk_a"]).to_pylist()
    assert row["status"] == "forgotten"


def test_merges_are_followed_to_somebody_who_is_heard():
    now = speakers_of(links_of(("r0", "spk_a", 9_000), ("r1", "spk_b", 9_000), ("r2", "spk_c", 9_000)))
    now = speakers_of(
        links_of(("r0", "spk_a", 9_000), ("r1", "spk_b", 9_000)), before=now, events=[became("spk_c", "spk_b")]
    )
    assert by_id(now)["spk_c"]["merged_into"] == "spk_b"
    now = speakers_of(links_of(("r0", "spk_a", 9_000)), before=now, events=[became("spk_b", "spk_a")], number=3)
    rows = by_id(now)
    assert {one: (row["status"], row["merged_into"]) for one, row in rows.items()} == {
        "spk_a": ("person", None),
        "spk_b": ("merged", "spk_a"),
        "spk_c": ("merged", "spk_a"),
    }


def test_who_is_heard_again_is_merged_no_more():
    now = speakers_of(links_of(("r0", "spk_a", 9_000), ("r1", "spk_b", 9_000)))
    now = speakers_of(links_of(("r0", "spk_a", 9_000)), before=now, events=[became("spk_b", "spk_a")])
    now = speakers_of(links_of(("r0", "spk_a", 9_000), ("r1", "spk_b", 9_000)), before=now)
    assert by_id(now)["spk_b"]["merged_into"] is None
    assert by_id(now)["spk_b"]["status"] == "person"


IDS = st.sampled_from(["spk_a", "spk_b", "spk_c", "spk_d"])


@given(st.lists(st.tuples(IDS, IDS), max_size=8), st.sets(IDS))
def test_merges_in_any_circle_come_to_an_end(merges, heard):
    links = links_of(*((f"r{at}", one, 9_000) for at, one in enumerate(sorted(heard))))
    for row in speakers_of(links, events=[became(*pair) for pair in merges]).to_pylist():
        assert row["merged_into"] != row["speaker_id"]
        assert row["speaker_id"] not in heard or row["merged_into"] is None
        assert (row["status"] == "merged") == (row["merged_into"] is not None)


def test_the_history_is_kept_but_not_that_somebody_was_heard_again():
    grown, born = (LineageEvent(speaker_id="spk_a", change=change) for change in ("grown", "new"))
    history = lineage_table(lineage_table(WHOLES["lineage"].empty_table(), [born], 1), [grown, became("b", "a")], 2)
    assert [tuple(row.values()) for row in history.to_pylist()] == [
        (1, "spk_a", "new", None),
        (2, "b", "merged_into", "a"),
    ]


def test_a_new_id_avoids_all_that_were_given():
    label = ("r0", 0, 0, "A")
    first = new_id(label, set())
    second = new_id(label, {first})
    assert len({first, second, new_id(label, {first, second})}) == 3
    assert new_id(label, {"spk_else"}) == first
