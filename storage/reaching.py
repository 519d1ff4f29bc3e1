"""What goes wrong with the objects of a store, as errors that name the place and say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import StorageError, StoreUnreachable, TableGone
from storage.filesystems import plain_errors


@contextmanager
def reaching(place: str) -> Iterator[None]:
    """Pass on that an object is there, or not; say of all else where it happened.

    Raises:
        StoreUnreachable: the storage did not answer.
        StorageError: it refused.
        FileNotFoundError, FileExistsError: as they come.
    """
    try:
        with plain_errors(place):
            yield
    except (FileNotFoundError, FileExistsError):
        raise
    except (ConnectionError, TimeoutError) as cause:
        raise StoreUnreachable(place, str(cause), "it is tried again") from cause
    except OSError as cause:
        raise StorageError(place, str(cause), "check permission and free space, then run again") from cause


@contextmanager
def writing(place: str) -> Iterator[None]:
    """As ``reaching``, where the object itself need not be there.

    Raises:
        StorageError: its folder is gone, too.
    """
    try:
        with reaching(place):
            yield
    except FileNotFoundError as cause:
        raise StorageError(place, "its folder is gone", "see who removes it, then run again") from cause


@contextmanager
def reading_table(place: str) -> Iterator[None]:
    """Say of a table that the lake names, and that is not there, that somebody has removed it.

    Raises:
        TableGone: it is not there.
    """
    try:
        yield
    except FileNotFoundError as cause:
        remedy = "put it back from a backup, or see who removes files from the lake"
        raise TableGone(f"table {place}", "is gone", remedy) from cause
