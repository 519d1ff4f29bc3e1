"""docs/storage.md: its commands are run on a real S3 server."""

import subprocess

import fsspec
import pytest

from tests.docs.blocks import ROOT, blocks
from tests.docs.conftest import environment, write_docs_archive
from tests.storage.conftest import SECRET


@pytest.mark.slow
def test_commands_on_s3_run(s3, tmp_path):
    storage = fsspec.filesystem("s3")
    for bucket in ("recordings", "lakes", "exports"):
        storage.mkdir(bucket)
    write_docs_archive(tmp_path / "archive")
    storage.put(f"{tmp_path}/archive/", "recordings/oral-history/", recursive=True)
    (block,) = (block for block in blocks("sh") if "s3" in block.marks)
    variables = {**environment(tmp_path), "PYTHONPATH": str(ROOT), "VOXLAKE_WORKERS": "1"}
    script = f"set -euo pipefail\n{block.text}"
    answer = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=variables, check=False, capture_output=True, text=True
    )
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    assert SECRET not in answer.stdout + answer.stderr
    assert len(storage.find("exports/subtitles")) == 3  # and a copy
    assert not [key for key in storage.find("lakes") if SECRET.encode() in storage.cat(key)]
