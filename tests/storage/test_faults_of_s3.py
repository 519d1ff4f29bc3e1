"""S3 that is slow, busy, cut off, or refuses: tried again or said, and the lake is right in the end."""

import socket
import sys

import fsspec
import pytest

from flows.cli import main
from storage.catalog import open_catalog
from storage.errors import ConfigError, StorageError, StoreUnreachable, is_transient
from storage.store import Store
from tasks.audio.media import REMOTE_BLOCK_BYTES, open_source
from tasks.planning.discover import discover
from tests.lakes import PASSING, fake_spec, lake_rows, query, run_whole, write_archive
from tests.storage.conftest import SECRET, forget_filesystems

MOST_TRIES = 2 * 2 * 3 * 2
"""Of one call: two of s3fs for the body, each two for the request, each three of botocore, each two of aiohttp."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Have calls be tried again at once."""
    monkeypatch.setattr("tasks.retries.RETRY_DELAYS_S", (0.0, 0.0))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the rows of a run over the same archive on a disk."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_whole(fake_spec(write_archive(folder / "archive"), folder / "lake"))
    return rows_of(folder / "lake")


def rows_of(lake):
    return lake_rows(lake, passing=PASSING | {"archive"})


FAULTS = {
    "busy": {"what": "answer", "times": 3},
    "broken inside": {"what": "answer", "status": 500, "code": "InternalError", "message": "We are sorry.", "times": 2},
    "bad gateway": {"what": "answer", "status": 502, "code": "", "message": "", "times": 2},
    "cut upload": {"what": "cut upload", "times": 2},
    "lost answer": {"what": "lose answer", "times": 2},
    "slow": {"what": "stall", "seconds": 1.5},
}


@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_not_noticed(bucket, s3, impatient, fault, method):
    store = Store(bucket)
    if method == "GET":
        store.put("key", b"value")
    ordered = s3.order(method=method, path="/key$", **FAULTS[fault])
    if method == "PUT":
        store.put("key", b"value")
    assert store.read("key") == b"value"
    assert ordered.n_met == ordered.times


def test_a_download_that_is_cut_is_made_again(bucket, s3):
    store = Store(bucket)
    store.put("key", bytes(100_000))
    cut = s3.order("cut download", "GET", "/key$")
    assert store.read("key") == bytes(100_000)
    assert cut.n_met == 1


def test_a_run_among_faults_ends_in_the_lake_of_an_undisturbed_one(archive, upload, bucket, s3, impatient, undisturbed):
    far, lake = upload(archive), f"{bucket}/lake"
    faults = [
        s3.order("answer", "PUT", "/facts/words/", times=3),
        s3.order("cut upload", "PUT", "/facts/turns/", times=2),
        s3.order("lose answer", "PUT", "/commits/"),
        s3.order("lose answer", "PUT", "/publications/"),
        s3.order("answer", "GET", "list-type=2.*commits", times=2),
        s3.order("cut download", "GET", "/archive/rec%201.wav", times=3),  # at the plan, too
        s3.order("stall", "GET", "/archive/rec%202.wav", seconds=1.5),
        s3.order("cut download", "GET", "/published/transcripts/"),
    ]
    first = run_whole(fake_spec(far, lake))
    assert first.published.number == 1
    assert [fault for fault in faults if fault.n_met < fault.times] == []
    assert rows_of(lake) == undisturbed
    assert run_whole(fake_spec(far, lake)).plan.is_current


def test_objects_that_cannot_be_had_are_failures_until_they_can(archive, upload, bucket, s3, undisturbed, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    far, lake = upload(archive), f"{bucket}/lake"
    faults = {
        "rec%200.wav": {"what": "answer", "status": 404, "code": "NoSuchKey", "message": "no such key"},
        "rec%201.wav": {"what": "answer", "status": 403, "code": "AccessDenied", "message": "denied"},
        "rec%202.wav": {"what": "lose answer"},
    }
    ordered = [s3.order(method="GET", path=f"/archive/{name}", times=1000, **fault) for name, fault in faults.items()]
    run_whole(fake_spec(far, lake))
    failures = query(lake, "SELECT source, error, message, is_transient FROM failures ORDER BY source")
    assert [(source, error, is_passing) for source, error, _, is_passing in failures] == [
        (f"rec {number}.wav", "UnreachableAudio", True) for number in range(3)
    ]
    messages = [message for *_, message, _ in failures]
    for message, words in zip(
        messages, ("not there any more", "permission denied", "Connection was closed"), strict=True
    ):
        assert words in message
    for fault in ordered:
        fault.times = 0
    run_whole(fake_spec(far, lake))
    assert rows_of(lake) == undisturbed


def test_an_object_that_changes_while_it_is_read_is_not_mixed(bucket):
    data = bytes(2 * REMOTE_BLOCK_BYTES)
    Store(bucket).put("archive/a.wav", data)
    with open_source(f"{bucket}/archive", "a.wav") as reader:
        assert len(reader.read(REMOTE_BLOCK_BYTES)) == REMOTE_BLOCK_BYTES
        Store(bucket).put("archive/a.wav", data[:-1] + b"1")
        with pytest.raises(OSError, match="no longer exists"):
            reader.digest()


def test_how_often_a_call_is_made_is_bounded(bucket, s3):
    store = Store(bucket)
    store.put("key", b"value")
    silent = s3.order("lose answer", "GET", "/key$", times=1000)
    with pytest.raises(StoreUnreachable) as error:
        store.read("key")
    assert is_transient(error.value)
    assert 3 <= silent.n_met <= MOST_TRIES


def test_how_often_the_user_wants_a_call_to_be_made_counts(bucket, s3, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    forget_filesystems()
    broken = s3.order("answer", "PUT", "/key$", status=500, code="InternalError", message="sorry", times=1000)
    with pytest.raises(StoreUnreachable, match="InternalError"):
        Store(bucket).put("key", b"value")
    assert broken.n_met == 1


def test_a_server_that_is_not_there_is_said(bucket, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
    forget_filesystems()
    for call in (lambda: Store(bucket).put("key", b""), lambda: discover(bucket)):
        with pytest.raises(StoreUnreachable, match="Could not connect"):
            call()


def read_source(archive, source):
    with open_source(archive, source) as reader:
        return reader.read()


REFUSALS = [
    (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    (403, "SignatureDoesNotMatch", "The request signature we calculated does not match."),
    (400, "ExpiredToken", "The provided token has expired."),
    (400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
    (301, "PermanentRedirect", "must be addressed using the specified endpoint"),
]


@pytest.mark.parametrize(("status", "code", "message"), REFUSALS, ids=[code for _, code, _ in REFUSALS])
def test_wrong_credentials_and_regions_are_a_wrong_setting(bucket, s3, status, code, message):
    Store(bucket).put("archive/a.wav", b"audio")
    for method in ("GET", "PUT"):
        s3.order("answer", method, bucket.removeprefix("s3://"), times=1000, status=status, code=code, message=message)
    for call in (
        lambda: discover(f"{bucket}/archive"),
        lambda: read_source(f"{bucket}/archive", "a.wav"),
        lambda: Store(bucket).list("commits"),
        lambda: Store(bucket).read("archive/a.wav"),
        lambda: Store(bucket).put("key", b""),
        lambda: Store(bucket).create("key", b""),
    ):
        with pytest.raises(ConfigError, match=code) as error:
            call()
        assert SECRET not in str(error.value)


def test_no_credentials_are_a_wrong_setting_on_the_command_line_too(bucket, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    forget_filesystems()
    monkeypatch.setattr(sys, "argv", ["voxlake", "plan", bucket, f"{bucket}/lake"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "Unable to locate credentials; check" in capsys.readouterr().err


def test_credentials_that_expire_stop_the_run(archive, upload, bucket, s3):
    far = upload(archive)
    s3.order("answer", "GET", "/archive/rec%202.wav", times=1000, status=400, code="ExpiredToken", message="expired")
    with pytest.raises(ConfigError, match="ExpiredToken"):
        run_whole(fake_spec(far, f"{bucket}/lake"))


def test_no_such_bucket_is_a_wrong_setting(archive, s3, bucket):
    for call in (
        lambda: discover("s3://no-such-bucket"),
        lambda: run_whole(fake_spec(archive, "s3://no-such-bucket/lake")),
        lambda: Store("s3://no-such-bucket").put("key", b""),
    ):
        with pytest.raises(ConfigError, match="no-such-bucket"):
            call()


def test_a_lake_that_may_only_be_read_is_said_and_can_be_queried(archive, upload, bucket, s3, undisturbed):
    far, lake = upload(archive), f"{bucket}/lake"
    refused = s3.order("answer", "PUT", "/lake/", times=1000, status=403, code="AccessDenied", message="Access Denied")
    with pytest.raises(StorageError, match="Access Denied") as error:
        run_whole(fake_spec(far, lake))
    assert not is_transient(error.value)
    refused.times = 0
    run_whole(fake_spec(far, lake))
    refused.times = 1000
    assert rows_of(lake) == undisturbed
    assert run_whole(fake_spec(far, lake)).plan.is_current
    s3.order("answer", "GET", "/published/words", times=1000, status=403, code="AccessDenied", message="Access Denied")
    with pytest.raises(StorageError, match=r"cannot be read .*Access Denied"):
        open_catalog(lake)


def test_a_name_that_cannot_be_looked_up_is_no_missing_manifest(archive, upload, bucket, s3):
    (archive / "manifest.csv").write_text("source,title\nrec 0.wav,First\n")
    far = upload(archive)
    s3.order("answer", "GET", "/manifest.csv", times=1000, status=403, code="AccessDenied", message="Access Denied")
    with pytest.raises(ConfigError, match=r"manifest.csv: cannot be read \(Access Denied"):
        run_whole(fake_spec(far, f"{bucket}/lake"))


def test_what_is_listed_is_not_read_before_it_is_asked_for(archive, upload, bucket, s3):
    far = upload(archive)
    assert fsspec.filesystem("s3").exists(f"{far}/rec 0.wav")
    before = len(s3.requests)
    assert len(discover(far).objects) == 3
    assert {request.method for request in s3.requests[before:]} == {"GET"}
    assert all("list-type" in request.path for request in s3.requests[before:])
