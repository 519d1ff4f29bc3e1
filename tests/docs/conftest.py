"""A place to try the docs in: small archives, a lake made by the command line, somebody with a name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storage.lake import Lake
from tests.lakes import conversation, fake_spec, query, run_whole, write_wav
from tests.tones import spoken, tone_clip

MANIFEST = """\
source,language,speakers,channel_mode,collection,title,recorded_at
interviews/mill.wav,en,2,,interviews,At the mill,1998-05-31
calls/office.wav,en,,split,calls,A call,2004-11-02
"""


def write_docs_archive(folder: Path) -> None:
    """Write what the docs speak of: an interview with overlap, a call, a copy."""
    mill = [*spoken(500, 900, 8), *spoken(4_000, 300, 9), *spoken(5_500, 900, 6), *spoken(9_000, 300, 7)]
    write_wav(folder / "interviews" / "mill.wav", tone_clip(12_000, mill))
    write_wav(folder / "interviews" / "school.wav", conversation(900, 1500, 900))
    left = tone_clip(12_000, [*spoken(500, 1500, 9), *spoken(6_000, 1500, 8)])
    right = tone_clip(12_000, [*spoken(3_500, 2100, 8), *spoken(9_000, 2100, 6)])
    write_wav(folder / "calls" / "office.wav", left, right)
    shutil.copy(folder / "interviews" / "school.wav", folder / "interviews" / "school (copy).wav")
    (folder / "manifest.csv").write_text(MANIFEST)


def environment(home: Path) -> dict[str, str]:
    """Return the environment for commands of the docs: engines that hear tones, a Prefect home of its own."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**os.environ, "VOXLAKE_PROFILE": "fake", "PATH": os.pathsep.join(paths), "HOME": str(home)}


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Return a folder with two archives and the ``lake`` of both, in which somebody is called Grace, and a clip."""
    folder = tmp_path_factory.mktemp("docs")
    write_docs_archive(folder / "archive")
    run = ["voxlake", "run", "archive", "lake", "--local", "--workers", "1"]
    ran = subprocess.run(run, cwd=folder, env=environment(folder), check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    write_wav(folder / "clips" / "henry.wav", conversation(2100, n_words=20))
    write_wav(folder / "box" / "tape 1.wav", conversation(300, 2700))
    (folder / "box" / "tape 2.mp3").write_bytes(b"")  # so that something has failed
    run_whole(fake_spec(folder / "box", folder / "lake"))
    ((grace,),) = query(
        folder / "lake", "SELECT speaker_id FROM words WHERE source = 'interviews/mill.wav' AND word_index = 0"
    )
    Lake(str(folder / "lake")).name_speaker(grace, "Grace")
    return folder
