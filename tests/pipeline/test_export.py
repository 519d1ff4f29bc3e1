"""Text files of a whole lake: one for each recording, nowhere but where they were asked for."""

import pytest

from tasks.export import export_lake
from tests.lakes import conversation, fake_spec, query, run_whole, write_wav


@pytest.fixture
def lake(tmp_path):
    write_wav(tmp_path / "one" / "box" / "talk.wav", conversation(300, 900))
    run_whole(fake_spec(tmp_path / "one", tmp_path / "lake"))
    return tmp_path / "lake"


def test_a_file_for_each_recording(lake, tmp_path):
    assert export_lake(str(lake), str(tmp_path / "out"), "txt").n_recordings == 1
    assert [path.name for path in (tmp_path / "out" / "box").iterdir()] == ["talk.wav.txt"]


def test_recordings_of_one_name_do_not_overwrite_each_other(lake, tmp_path):
    write_wav(tmp_path / "other" / "box" / "talk.wav", conversation(1500, 2100))
    run_whole(fake_spec(tmp_path / "other", lake))
    export_lake(str(lake), str(tmp_path / "out"), "txt")
    ids = [recording_id for (recording_id,) in query(lake, "SELECT recording_id FROM recordings")]
    files = list((tmp_path / "out" / "box").iterdir())
    assert sorted(path.name for path in files) == sorted(f"talk.wav.{one[:8]}.txt" for one in ids)
    assert len({path.read_text() for path in files}) == 2


def test_a_name_that_climbs_out_of_the_folder_is_kept_inside(lake, tmp_path, monkeypatch):
    rows = [{"recording_id": "a" * 32, "source": "../../up/./talk.wav", "duration_ms": 1, "language": None}]
    honest = export_lake.__globals__["_rows"]
    monkeypatch.setattr(
        "tasks.export._rows",
        lambda catalog, sql, values: [dict(rows[0])] if "duration_ms" in sql else honest(catalog, sql, values),
    )
    export_lake(str(lake), str(tmp_path / "a" / "b" / "out"), "txt")
    assert (tmp_path / "a" / "b" / "out" / "_" / "_" / "up" / "_" / "talk.wav.txt").is_file()
