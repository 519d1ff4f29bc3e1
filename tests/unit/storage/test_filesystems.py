"""What errors of libraries mean, without a server."""

import aiohttp
import botocore.exceptions
import pytest
from s3fs.errors import translate_boto_error

from storage.errors import ConfigError
from storage.filesystems import plain_errors


def answer(code, status, operation="GetObject"):
    """Return what botocore raises for an answer of S3."""
    said = {"Error": {"Code": code, "Message": "words."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(said, operation)


def plain(error):
    """Return what comes out."""
    with pytest.raises(Exception) as caught, plain_errors("s3://bucket/key"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("SlowDown", 503), ConnectionError),
        (answer("InternalError", 500), ConnectionError),
        (answer("504", 504), ConnectionError),
        (answer("RequestTimeout", 400), ConnectionError),
        (answer("BadDigest", 400), ConnectionError),
        (answer("ConditionalRequestConflict", 409, "PutObject"), ConnectionError),
        (answer("TooManyRequests", 429), ConnectionError),
        (answer("PreconditionFailed", 412, "PutObject"), FileExistsError),
        (answer("PreconditionFailed", 412, "CompleteMultipartUpload"), FileExistsError),
        (answer("NotImplemented", 501, "PutObject"), OSError),
        (answer("AccessDenied", 403), PermissionError),
        (answer("NoSuchKey", 404), FileNotFoundError),
        (answer("NoSuchBucket", 404), ConfigError),
        (answer("ExpiredToken", 400), ConfigError),
        (answer("401", 401), ConfigError),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://s3"), ConnectionError),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="http://s3"), ConnectionError),
        (botocore.exceptions.ResponseStreamingError(error="cut"), ConnectionError),
        (botocore.exceptions.NoCredentialsError(), ConfigError),
        (botocore.exceptions.ProfileNotFound(profile="nightly"), ConfigError),
        (aiohttp.ClientPayloadError("cut"), ConnectionError),
        (TimeoutError(), TimeoutError),
    ],
    ids=str,
)
@pytest.mark.parametrize("translate", [False, True])
def test_errors_mean_what_files_would_say(error, kind, translate):
    found = plain(translate_boto_error(error) if translate else error)
    assert type(found) is kind or (kind is OSError and isinstance(found, OSError))
    assert str(found)


def test_defects_and_our_own_errors_stay_themselves():
    for error in (KeyError("x"), ZeroDivisionError(), ConfigError("subject", "problem"), FileNotFoundError(2, "gone")):
        assert plain(error) is error
