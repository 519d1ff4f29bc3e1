"""The databases a Prefect server can keep its runs in, started for measuring and thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.runs import free_port

_OWNER = "postgres"
_MIB = 1 << 20


class Database(NamedTuple):
    """Where a server keeps its runs."""

    url: str | None
    """For Prefect's settings; None for the default."""
    size_mib: Callable[[], float]


@contextmanager
def sqlite(home: Path) -> Iterator[Database]:
    """Yield Prefect's default: a file in its home."""

    def size_mib() -> float:
        return sum(path.stat().st_size for path in home.glob("prefect.db*")) / _MIB

    yield Database(None, size_mib)


@contextmanager
def postgresql(_home: Path) -> Iterator[Database]:
    """Start PostgreSQL in a folder of its own, as its own user where this one is root; yield a database.

    Raises:
        SystemExit: it is not installed.
    """
    programs = {name: shutil.which(name) for name in ("initdb", "postgres", "psql", "pg_ctl")}
    if not all(programs.values()):
        raise SystemExit("PostgreSQL is not installed; leave --database postgresql out")
    is_root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp())
    if is_root:
        shutil.chown(folder, _OWNER, _OWNER)
    data, port = folder / "data", str(free_port())

    def run(program: str, *arguments: str) -> str:
        command = [str(programs[program]), *arguments]
        user = _OWNER if is_root else None
        done = subprocess.run(command, user=user, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def size_mib() -> float:
        query = "SELECT pg_database_size(current_database())"
        return float(run("psql", "-h", "127.0.0.1", "-p", port, "-U", _OWNER, "-d", _OWNER, "-Atc", query)) / _MIB

    run("initdb", "-D", str(data), "-U", _OWNER, "-A", "trust", "--no-sync")
    options = f"-p {port} -h 127.0.0.1 -k {folder}"
    run("pg_ctl", "start", "-w", "-s", "-D", str(data), "-o", options, "-l", str(folder / "log"))
    try:
        yield Database(f"postgresql+asyncpg://{_OWNER}@127.0.0.1:{port}/{_OWNER}", size_mib)
    finally:
        run("pg_ctl", "stop", "-D", str(data), "-m", "fast")
        shutil.rmtree(folder)


DATABASES = {"sqlite": sqlite, "postgresql": postgresql}
