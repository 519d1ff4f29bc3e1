"""Archive and lake in memory: the whole way in one process."""

import fsspec

from storage.lake import Lake
from storage.store import Store
from tasks.reading.export import export_lake
from tests.lakes import PASSING, conversation, fake_spec, lake_rows, run_whole, write_archive, write_wav


def test_the_whole_way(tmp_path):
    archive, root = write_archive(tmp_path / "archive"), f"memory://{tmp_path.name}-whole"
    here = PASSING | {"archive"}

    def upload():
        for path in archive.iterdir():
            Store(f"{root}/archive").put(path.name, path.read_bytes())

    try:
        upload()
        run_whole(fake_spec(f"{root}/archive", f"{root}/lake"))
        run_whole(fake_spec(archive, tmp_path / "lake"))
        assert lake_rows(f"{root}/lake", passing=here) == lake_rows(tmp_path / "lake", passing=here)
        assert run_whole(fake_spec(f"{root}/archive", f"{root}/lake")).plan.is_current
        write_wav(archive / "new.wav", conversation(300, 2700))
        upload()
        run_whole(fake_spec(f"{root}/archive", f"{root}/lake"))
        assert export_lake(f"{root}/lake", f"{root}/out", "srt").n_recordings == 4
        assert Lake(f"{root}/lake").latest_publication().number == 2
    finally:
        fsspec.filesystem("memory").rm(root, recursive=True)
