"""Filesystems of URLs: found by fsspec, patient for a bounded time, their errors in the standard library's words.

Libraries of object stores try again by themselves, in layers whose numbers multiply: with s3fs 2025.12 and botocore
as they come, reading from an S3 server that has stopped answering takes 5 x 5 x 5 attempts of 15 seconds, half an
hour. Here it takes 2 x 2 x 3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from storage.errors import ConfigError, VoxlakeError

_S3FS_ATTEMPTS = 2
_BOTOCORE_RETRIES = {"mode": "standard", "total_max_attempts": 3}
_S3_BLOCK_BYTES = 1 << 20
"""What s3fs reads ahead where nobody says how much: DuckDB, which asks for whole columns, and needs no 50 MiB more."""

_FOREIGN = frozenset({"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "s3fs", "urllib3"})
"""Libraries whose errors mean something about the storage, and not a defect of ours."""
_PASSING = frozenset(
    {
        "aiohttp.ClientError",
        "botocore.ConnectionError",
        "botocore.HTTPClientError",
        "botocore.IncompleteReadError",
        "botocore.ResponseParserError",
        "urllib3.HTTPError",
    }
)
"""Base classes of errors of a connection: no answer, none in time, or one that was cut short."""
_BUSY_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
_BUSY_CODES = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "SlowDown", "Throttling"})
"""Of answers with status 400 or 503; a body that arrived in part or changed on its way is sent again."""
_CREDENTIAL_CODES = frozenset(
    {
        "AccountProblem",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "NotSignedUp",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_PLACE_CODES = frozenset({"301", "IllegalLocationConstraintException", "NoSuchBucket", "PermanentRedirect"})
_WRITES = frozenset({"PutObject", "CompleteMultipartUpload"})


def open_filesystem(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the filesystem of a URL and the path in it; nothing is contacted.

    All threads of a process share one, where fsspec would make one for each: to know S3 takes half a second and its
    own connections. What the user has configured for it (``FSSPEC_S3``, ``AWS_MAX_ATTEMPTS``, ``AWS_RETRY_MODE``) wins.

    Raises:
        ImportError: the package for the protocol is not installed.
        ValueError: no such protocol is known.
    """
    return _open(url, os.getpid())


@lru_cache(maxsize=64)
def _open(url: str, _process: int) -> tuple[AbstractFileSystem, str]:
    ours = {"default_block_size": _S3_BLOCK_BYTES} if url.startswith(("s3://", "s3a://")) else {}
    fs, path = fsspec.core.url_to_fs(url, **ours)  # not the one that somebody else in the process may have
    if is_s3(fs):
        fs.retries = _S3FS_ATTEMPTS
        if not {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"} & os.environ.keys():
            fs.config_kwargs = {"retries": _BOTOCORE_RETRIES, **fs.config_kwargs}
    return fs, path


def is_s3(fs: AbstractFileSystem) -> bool:
    """Return whether a filesystem speaks S3's protocol."""
    return "s3" in fs.protocol


@contextmanager
def plain_errors(place: str) -> Iterator[None]:
    """Turn what libraries of object stores raise into what files on a disk would.

    Args:
        place: What was to be read or written, for messages.

    Raises:
        ConfigError: credentials are missing, wrong or have expired, or there is no such bucket.
        ConnectionError: what may pass: no answer, a part of one, one that says "later".
        TimeoutError: no answer in time.
        FileExistsError: a write that was to make a new object found one.
        OSError: all else, by its kind.
    """
    try:
        yield
    except VoxlakeError:
        raise
    except Exception as cause:
        plain = _plain(cause, place)
        if plain is cause:
            raise
        raise plain from cause


def _plain(error: Exception, place: str) -> Exception:
    """Return the error in plain words; itself where it is plain already, or no error of the storage."""
    answer = error.__cause__ if hasattr(error.__cause__, "response") else error
    if answer is not None and _status(answer):
        return _of_answer(error, answer, place)
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    if isinstance(error, TimeoutError):
        return TimeoutError(_words(error))
    if kinds & _PASSING:
        return ConnectionError(_words(error))
    if "botocore.BotoCoreError" in kinds:  # the rest of them are about credentials, regions, profiles and names
        return ConfigError(place, _words(error), "check the address, and credentials and region in the environment")
    is_foreign = type(error).__module__.partition(".")[0] in _FOREIGN
    return OSError(_words(error)) if is_foreign and not isinstance(error, OSError) else error


def _of_answer(error: Exception, answer: BaseException, place: str) -> Exception:
    """Return what an HTTP answer of the storage means."""
    status, code = _status(answer), _code(answer)
    words = f"{_words(error)} ({code or status})"
    if code in _CREDENTIAL_CODES or status == HTTPStatus.UNAUTHORIZED:
        return ConfigError(place, words, "check the credentials and the region in the environment")
    if code in _PLACE_CODES:
        return ConfigError(place, words, "check the name of the bucket, its region and the endpoint")
    if status == HTTPStatus.PRECONDITION_FAILED and getattr(answer, "operation_name", "") in _WRITES:
        return FileExistsError(words)
    is_servers = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
    if is_servers or status in _BUSY_STATUS or code in _BUSY_CODES:
        return ConnectionError(words)
    if isinstance(error, OSError):
        return error
    kinds: dict[int, type[OSError]] = {
        HTTPStatus.FORBIDDEN: PermissionError,
        HTTPStatus.NOT_FOUND: FileNotFoundError,
    }
    return kinds.get(status, OSError)(words)


def _status(error: BaseException) -> int:
    """Return the HTTP status that an error tells of; 0 where it is none of an answer."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    found = (getattr(error, name, None) for name in ("status", "status_code", "code"))
    return next((value for value in found if isinstance(value, int)), 0)


def _code(error: BaseException) -> str:
    """Return the code that S3 gave in its answer, if any."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _words(error: Exception) -> str:
    text = str(error.args[-1] if isinstance(error, OSError) and error.args else error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
