"""Archives and lakes on a real S3 server, known to the code by environment variables alone."""

import uuid

import fsspec
import pytest
from s3fs import S3FileSystem

from storage import filesystems
from tests.lakes import write_archive
from tests.servers import S3Proxy, s3_server

SECRET = "the-secret-of-the-tests"


def forget_filesystems():
    """Have storage be opened with what the environment says now."""
    S3FileSystem.clear_instance_cache()
    filesystems._open.cache_clear()


@pytest.fixture(scope="session")
def s3_process():
    """Return the address of an S3 server that runs as long as the tests."""
    with s3_server() as url:
        yield url


@pytest.fixture
def known(monkeypatch):
    """Return what has the environment name a server, with the credentials of somebody."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def know(url, key_id="tests", secret=SECRET):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        forget_filesystems()  # they know who was there before

    yield know
    forget_filesystems()


@pytest.fixture
def s3(s3_process, known):
    """Return a proxy before the server; the environment names it and has the credentials."""
    with S3Proxy(s3_process).running() as proxy:
        known(proxy.url)
        yield proxy


@pytest.fixture
def bucket(s3):
    """Return the URL of a new bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def impatient(monkeypatch, bucket):
    """Have answers of S3 be late after a second, as whoever runs a job may set it, too."""
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 1, "connect_timeout": 1}})
    forget_filesystems()


@pytest.fixture
def archive(tmp_path):
    """Return a folder with three recordings."""
    return write_archive(tmp_path / "archive")


@pytest.fixture
def upload(bucket):
    """Return what copies a folder into the bucket and gives its URL."""

    def copy(folder, name="archive"):
        fsspec.filesystem("s3").put(f"{folder}/", f"{bucket}/{name}/", recursive=True)
        return f"{bucket}/{name}"

    return copy
