"""Many objects removed at once, where the storage takes that: S3 takes a thousand names in a request."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fsspec import AbstractFileSystem

from storage.filesystems import plain_errors

_NAMES_AT_ONCE = 1_000
"""As many as `DeleteObjects <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>`_ takes."""
_REQUESTS_AT_ONCE = 4


def delete_together(fs: AbstractFileSystem, paths: Sequence[str]) -> set[str]:
    """Remove objects of one bucket of S3; return those that it left, which may be tried alone.

    Servers that speak S3's protocol but not this request leave all of them. One that is gone already is removed.

    Raises:
        ConfigError: credentials are missing or wrong.
        ConnectionError: the storage did not answer, or has no time at the moment.
        TimeoutError: it did not answer in time.
    """
    batches = [paths[at : at + _NAMES_AT_ONCE] for at in range(0, len(paths), _NAMES_AT_ONCE)]
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        return set().union(*pool.map(lambda batch: _left_of(fs, batch), batches))


def _left_of(fs: AbstractFileSystem, paths: Sequence[str]) -> set[str]:
    bucket = fs.split_path(paths[0])[0]
    by_key = {fs.split_path(path)[1]: path for path in paths}
    names = {"Objects": [{"Key": key} for key in by_key], "Quiet": True}
    for path in paths:
        fs.invalidate_cache(path)
    try:
        with plain_errors(bucket):
            answer = fs.call_s3("delete_objects", Bucket=bucket, Delete=names)
    except (ConnectionError, TimeoutError):
        raise
    except OSError:
        return set(paths)
    return {by_key[left["Key"]] for left in answer.get("Errors", ())}
