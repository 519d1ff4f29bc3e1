"""Rows of a recording are found in a table of many, as a filter would find them."""

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from storage.recording_rows import RecordingRows, split_by_recording

NAMES = st.sampled_from(["a", "b", "ba", "ä", "z"])


def table_of_names(names):
    return pa.table({"recording_id": pa.array(names, pa.string()), "at": pa.array(range(len(names)), pa.int64())})


@given(st.lists(NAMES), st.lists(NAMES, unique=True))
def test_rows_are_those_that_a_filter_finds_in_their_order(names, wanted):
    table = table_of_names(names)
    found = RecordingRows(pa.concat_tables([table.slice(0, 2), table.slice(2)])).of(wanted)
    expected = [table.filter(pc.equal(table["recording_id"], one)) for one in wanted]
    assert found.to_pylist() == pa.concat_tables([table.slice(0, 0), *expected]).to_pylist()


@given(st.lists(NAMES))
def test_all_of_a_table_is_sorted_by_recording(names):
    rows = RecordingRows(table_of_names(names)).table
    assert (
        rows.to_pylist()
        == table_of_names(names).sort_by([("recording_id", "ascending"), ("at", "ascending")]).to_pylist()
    )


@given(st.lists(NAMES))
def test_a_split_table_has_each_recordings_rows(names):
    table = table_of_names(names)
    split = split_by_recording(table)
    assert split.keys() == set(names)
    assert all(split[one].to_pylist() == RecordingRows(table).of([one]).to_pylist() for one in split)
