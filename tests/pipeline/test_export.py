"""Text files of a whole lake: one for each recording, nowhere but where they were asked for, of those asked for."""

import io
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import duckdb
import pyarrow.parquet as pq
import pytest

from flows.cli import app
from storage.errors import ConfigError, SchemaMismatch, StorageError
from storage.lake import Lake
from storage.part_rows import rows_by_recording
from storage.runs import RunRecord
from tasks.reading.choose_recordings import RecordingFilter, choose_recordings
from tasks.reading.documents import read_documents
from tasks.reading.export import export_lake
from tests.lakes import conversation, fake_spec, query, run_whole, write_wav

MANIFEST = """\
source,language,collection,recorded_at
box/talk.wav,en,talks,1998-05-31
box/chat.wav,de,chats,2004
cellar/call.wav,en,chats,
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_wav(folder / "one" / "box" / "talk.wav", conversation(300, 900, 300))
    write_wav(folder / "one" / "box" / "chat.wav", conversation(900, 1500))
    write_wav(folder / "one" / "cellar" / "call.wav", conversation(2100))
    shutil.copy(folder / "one" / "cellar" / "call.wav", folder / "one" / "cellar" / "same.wav")
    (folder / "one" / "manifest.csv").write_text(MANIFEST)
    run_whole(fake_spec(folder / "one", folder / "lake"))
    ((speaker_id,),) = query(
        folder / "lake", "SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v900%' AND source = 'box/talk.wav'"
    )
    Lake(str(folder / "lake")).name_speaker(speaker_id, "Ann")
    return folder / "lake"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_for_each_recording(lake, tmp_path):
    assert export_lake(str(lake), str(tmp_path / "out"), "txt").n_recordings == 3
    assert files(tmp_path / "out") == ["box/chat.wav.txt", "box/talk.wav.txt", "cellar/call.wav.txt"]


def test_what_cannot_be_written_is_an_error(lake, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        export_lake(str(lake), str(tmp_path / "file" / "out"), "txt")


def test_documents_hold_what_the_views_show(lake):
    shown = """
        SELECT any_value(t.text), any_value(coalesce(t.speaker_name, t.speaker_id, t.local_speaker)),
               any_value(t.speaker_uncertain),
               list((w.start_ms, w.end_ms, w.text, coalesce(s.name, w.speaker_id, w.local_speaker)) ORDER BY word_index)
        FROM transcripts t JOIN words w USING (recording_id, utterance_index)
        LEFT JOIN speakers s ON w.speaker_id = s.speaker_id WHERE t.recording_id = '{}'
        GROUP BY utterance_index ORDER BY utterance_index"""
    read = [one.document for one in read_documents(str(lake))]
    assert len(read) == 3
    for document in read:
        utterances = [
            (u.text, u.speaker, u.is_uncertain, [(w.start_ms, w.end_ms, w.text, w.speaker) for w in u.words])
            for u in document.utterances
        ]
        assert utterances == query(lake, shown.format(document.recording_id))
        turns = f"FROM turns WHERE NOT is_exclusive AND recording_id = '{document.recording_id}'"
        assert [(turn.start_ms, turn.end_ms) for turn in document.turns] == query(
            lake, f"SELECT start_ms, end_ms {turns} ORDER BY start_ms, end_ms, channel, local_speaker"
        )


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({"collections": ("chats",)}, {"chat", "call"}),
        ({"languages": ("de",)}, {"chat"}),
        ({"languages": ("en", "de")}, {"talk", "chat", "call"}),
        ({"collections": ("chats",), "languages": ("en",)}, {"call"}),
        ({"sources": ("box/*",)}, {"talk", "chat"}),
        ({"sources": ("box/talk.wav", "*/c[ah]*.wav")}, {"talk", "chat", "call"}),
        ({"sources": ("cellar/same.wav",)}, {"call"}),
        ({"sources": ("talk.wav",)}, set()),
        ({"since": "1998-06"}, {"chat"}),
        ({"since": "1998", "until": "1998-05"}, {"talk"}),
        ({"since": "2004-11-02"}, {"chat"}),
        ({"until": "2003"}, {"talk"}),
    ],
)
def test_filters(lake, options, written):
    found = [one.path for one in read_documents(str(lake), RecordingFilter(**options))]
    assert {path.rpartition("/")[2].removesuffix(".wav") for path in found} == written
    assert len(found) == len(written)


@pytest.mark.parametrize("date", ["98", "1998-5", "31.5.1998", "1998-05-31T12:00"])
def test_what_is_no_date_is_refused(date):
    with pytest.raises(ConfigError, match="is none"):
        RecordingFilter(since=date)


def test_the_command_takes_a_person_by_name_and_writes_whole_recordings(lake, tmp_path, capsys):
    arguments = ["export", str(lake), str(tmp_path / "out"), "--format", "txt"]
    assert app([*arguments, "--speaker", "Ann"], exit_on_error=False) == 0
    assert files(tmp_path / "out") == ["box/chat.wav.txt", "box/talk.wav.txt"]
    assert "spk_" in (tmp_path / "out" / "box" / "talk.wav.txt").read_text(), "the other one is there as well"
    assert "2 files written" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="Nobody"):
        app([*arguments, "--speaker", "Nobody"], exit_on_error=False)


def test_utterances_with_flags_are_left_out_and_counted(lake, monkeypatch, tmp_path, capsys):
    whole = {one.path: one.document for one in read_documents(str(lake))}

    def flagged(*arguments):
        for recording_id, rows in rows_by_recording(*arguments):
            for row in rows:
                if "utterance_index" in row and "flags" in row:
                    row["flags"] = [["fast", "loop"], ["other"]][row["utterance_index"] % 2]
            yield recording_id, rows

    monkeypatch.setattr("tasks.reading.documents.rows_by_recording", flagged)
    for one in read_documents(str(lake), without_flags=["loop", "absent"]):
        kept = [u for index, u in enumerate(whole[one.path].utterances) if index % 2]
        assert [u.words for u in one.document.utterances] == [u.words for u in kept]
        assert one.n_left_out == len(whole[one.path].utterances) - len(kept) > 0
        assert one.document.turns == whole[one.path].turns
    app(["export", str(lake), str(tmp_path), "--format", "ctm", "--without-flags", "loop, fast"], exit_on_error=False)
    assert "4 utterances left out for their flags" in capsys.readouterr().err


def test_recordings_of_one_name_do_not_overwrite_each_other(tmp_path):
    lake = tmp_path / "lake"
    for archive, voices in (("one", (300, 900)), ("other", (1500, 2100))):
        write_wav(tmp_path / archive / "box" / "talk.wav", conversation(*voices))
        run_whole(fake_spec(tmp_path / archive, lake))
    ids = [recording_id for (recording_id,) in query(lake, "SELECT recording_id FROM recordings")]
    export_lake(str(lake), str(tmp_path / "out"), "txt")
    assert files(tmp_path / "out") == sorted(f"box/talk.wav.{one[:8]}.txt" for one in ids)
    assert len({path.read_text() for path in (tmp_path / "out" / "box").iterdir()}) == 2


def chosen_paths(*sources):
    with duckdb.connect() as catalog:
        catalog.execute("CREATE SCHEMA published; CREATE TABLE published.selected (recording_id TEXT, part_id TEXT)")
        columns = ("recording_id", "source", "status", "language", "collection", "recorded_at")
        catalog.execute(
            f"CREATE TABLE recordings ({', '.join(f'{name} TEXT' for name in columns)}, duration_ms BIGINT)"
        )
        catalog.execute("CREATE TABLE sources AS FROM recordings")
        catalog.execute("CREATE TABLE links (recording_id TEXT, speaker_id TEXT)")
        for index, source in enumerate(sources):
            recording_id = f"{index}" * 32
            catalog.execute("INSERT INTO published.selected VALUES (?, 'part')", [recording_id])
            catalog.execute("INSERT INTO recordings VALUES (?, ?, 'done', NULL, NULL, NULL, 1)", [recording_id, source])
        return [one.path for one in choose_recordings(catalog, RecordingFilter())]


def test_a_name_that_climbs_out_of_the_folder_is_kept_inside():
    """An object store's key may hold ``..``, which must lead nowhere."""
    assert chosen_paths("../../up/./talk.wav", "//x.wav") == ["_/_/up/_/talk.wav", "_/_/x.wav"]


def test_names_that_only_become_the_same_are_told_apart():
    assert chosen_paths("a/../x", "a/./x", "a/x") == ["a/_/x.00000000", "a/_/x.11111111", "a/x"]


def test_rows_out_of_order_are_an_error_not_a_loss(lake):
    opened = Lake(str(lake))
    table = opened.store.read_table(opened.latest_publication().parts[0].files["words"])
    mixed = SimpleNamespace(store=SimpleNamespace(read=lambda _: _parquet(table.take([len(table) - 1, 0]))))
    ids = table["recording_id"].to_pylist()
    with pytest.raises(SchemaMismatch, match="not sorted"):
        list(rows_by_recording(mixed, "key", ["text"], ids))


def _parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_a_lake_that_has_published_nothing_has_no_documents(tmp_path):
    at = datetime.now(UTC)
    Lake(str(tmp_path)).write_run(RunRecord(run_id="run", started_at=at, profile="fake", settings={}, versions={}))
    assert list(read_documents(str(tmp_path))) == []
