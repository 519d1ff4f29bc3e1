"""What killed runs work on: an archive that grows, settings that cut it into many small pieces, a Prefect server."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runs import free_port, start_prefect_server, wait_for_server
from tests.archives import conversation
from tests.lakes import write_wav

STAGES = (range(6), range(9), range(1, 11))
"""Which recordings the archive has one after the other: three are new, then two are new and one is gone."""
SETTINGS: Mapping[str, Any] = {
    "workers": 2,
    "shard_minutes": 0.8,
    "commit_minutes": 0.4,
    "chunking": {"target_ms": 5_000, "max_ms": 7_000, "min_ms": 2_000},
}
_SHORTEST_S = 12
_N_RECORDINGS = 1 + max(map(max, STAGES))
BATCH_MS = round(1000 * (60 * SETTINGS["commit_minutes"] + _SHORTEST_S + _N_RECORDINGS))
"""What a process may lose: what is asked to be committed together, and the recording that completes it."""


def settings_as_variables() -> dict[str, str]:
    """Return the settings as environment variables."""
    variables = {}
    for name, value in SETTINGS.items():
        parts = {f"__{key.upper()}": one for key, one in value.items()} if isinstance(value, Mapping) else {"": value}
        variables |= {f"VOXLAKE_{name.upper()}{part}": str(one) for part, one in parts.items()}
    return variables


def write_pool(pool: Path) -> Path:
    """Write all recordings; a little noise, too faint to be heard, makes their clips differ."""
    for index in range(_N_RECORDINGS):
        clip = conversation(index, seconds=_SHORTEST_S + index)
        noise = np.random.default_rng(index).normal(0, 3e-4, len(clip)).astype(np.float32)
        write_wav(pool / f"talk {index}.wav", clip + noise)
    (pool / "broken.mp3").write_bytes(b"no audio at all " * 16)
    return pool


def show_stage(archive: Path, pool: Path, stage: int) -> None:
    """Have the archive hold the recordings of a stage, and a file that is no audio."""
    shutil.rmtree(archive, ignore_errors=True)
    archive.mkdir()
    for name in ["broken.mp3", *(f"talk {index}.wav" for index in STAGES[stage])]:
        os.link(pool / name, archive / name)


class Server:
    """A Prefect server that is killed now and then, and comes back under the same address."""

    def __init__(self, home: Path) -> None:
        """Choose a port."""
        self._home, self._port = home, free_port()
        self.url = f"http://127.0.0.1:{self._port}/api"
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the server answer until the block ends."""
        try:
            self.ensure_running()
            yield
        finally:
            if self._process:
                self._process.terminate()
                self._process.wait()

    def ensure_running(self) -> None:
        """Start the server if it does not run; wait until it answers."""
        if self._process is None or self._process.poll() is not None:
            self._process = start_prefect_server(self._home, self._port)
        wait_for_server(self.url, self._process)

    def striker(self, rng: random.Random) -> Callable[[int], bool]:
        """Return what kills the server, maybe deletes its database, and maybe starts it again at once."""
        loses_database, comes_back = rng.random() < 1 / 2, rng.random() < 1 / 2

        def strike(_: int) -> bool:
            if self._process is None:
                return False
            self._process.kill()
            self._process.wait()
            if loses_database:
                for file in self._home.glob("prefect.db*"):
                    file.unlink()
            if comes_back:
                self._process = start_prefect_server(self._home, self._port)
            return True

        return strike
