"""Adding to a lake reads what is new, not what is there."""

import pytest

from storage.lake import Lake
from tasks.publishing import assign
from tests.lakes import conversation, fake_spec, query, run_whole, write_archive, write_wav


@pytest.fixture
def lake(tmp_path, monkeypatch):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "manifest.csv").write_text("source,language\nrec 0.wav,de\nrec 1.wav,fr\n")
    monkeypatch.setattr(assign, "_PART_RECORDINGS", 3)  # as many as there are: what is new goes elsewhere
    run_whole(fake_spec(write_archive(tmp_path / "archive"), tmp_path / "lake"))
    return tmp_path / "lake"


def test_words_of_recordings_in_full_parts_are_not_read_again(lake, tmp_path, monkeypatch):
    languages = query(lake, "SELECT source, language FROM recordings ORDER BY 1")
    assert languages == [("rec 0.wav", "de"), ("rec 1.wav", "fr"), ("rec 2.wav", None)]
    old = {recording_id for (recording_id,) in query(lake, "SELECT recording_id FROM recordings")}
    honest, read = Lake.facts, []

    def facts(self, table, state, wanted, **options):
        wanted = list(wanted)
        if table in {"words", "segments", "turns"}:
            read.extend(key[0] for key in wanted)
        return honest(self, table, state, wanted, **options)

    monkeypatch.setattr(Lake, "facts", facts)
    write_wav(tmp_path / "archive" / "new.wav", conversation(2700, 3300))
    run_whole(fake_spec(tmp_path / "archive", lake))
    assert read
    assert not old & set(read)
    assert query(lake, "SELECT source, language FROM recordings WHERE source <> 'new.wav' ORDER BY 1") == languages
