"""While parts grow, a reader of ``transcripts/*.parquet`` sees every utterance that was there, and none twice."""

import threading
from contextlib import suppress

import duckdb

from storage.lake import Lake
from storage.publishing import mirror_transcripts
from tests.text_lakes import publish_texts

N_NIGHTS = 12


def test_readers_of_the_mirror_see_each_utterance_once_while_parts_grow(tmp_path):
    lake = Lake(str(tmp_path))
    parts = {name: {f"R{name}0": [("spk_1", "coal")] * 50} for name in "ab"}
    publish_texts(tmp_path, 1, parts)
    mirror_transcripts(lake)
    seen, is_over = [], threading.Event()

    def read():
        while not is_over.is_set():
            look(seen)

    def look(into):
        """Query the glob; DuckDB opens a file twice, and refuses the query where it was replaced in between."""
        with duckdb.connect() as connection, suppress(duckdb.Error):
            rows = connection.execute(
                "SELECT recording_id, count(*), count(DISTINCT utterance_index) "
                f"FROM read_parquet('{tmp_path}/transcripts/*.parquet') GROUP BY 1"
            ).fetchall()
            into.append({recording_id: (n, n_distinct) for recording_id, n, n_distinct in rows})

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for night in range(1, N_NIGHTS):
            for name, texts in parts.items():
                texts[f"R{name}{night}"] = [("spk_2", "mine")] * 50
            publish_texts(tmp_path, night + 1, parts)
            mirror_transcripts(lake)
    finally:
        is_over.set()
        reader.join()
    look(seen)
    assert len(seen) > 1
    assert len(seen[-1]) == 2 * N_NIGHTS
    assert all(counts == (50, 50) for rows in seen for counts in rows.values())
    known = set()
    for rows in seen:
        assert rows.keys() >= known
        known = rows.keys()
