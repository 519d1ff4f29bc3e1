"""Many objects go in few requests on S3, and one at a time where the server does not know how."""

import pytest

from storage import deleting
from storage.errors import StorageError, StoreUnreachable
from storage.store import Store


@pytest.fixture
def store(bucket, monkeypatch):
    """Return a store of seven objects, of which three go in a request."""
    monkeypatch.setattr(deleting, "_NAMES_AT_ONCE", 3)
    found = Store(f"{bucket}/lake")
    found.fs.pipe({found.path(f"old/{name}"): b"1" for name in "abcdef"} | {found.path("old/ü [*]?.json"): b"1"})
    return found


def deletions(s3):
    return sorted(one.method for one in s3.requests if one.method == "DELETE" or "?delete" in one.path)


def test_a_request_takes_many(store, s3):
    keys = [f"old/{name}" for name in store.list("old")]
    store.delete_all([*keys, "old/never was"])
    assert store.list("old") == []
    assert deletions(s3) == ["POST"] * 3
    store.delete_all([])
    assert deletions(s3) == ["POST"] * 3


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "MissingContentMD5")])
def test_a_server_that_does_not_know_the_request_is_asked_for_each(store, s3, status, code):
    s3.order("answer", "POST", r"\?delete", times=9, status=status, code=code)
    store.delete_all([f"old/{name}" for name in store.list("old")])
    assert store.list("old") == []
    assert deletions(s3).count("DELETE") == 7


def test_what_may_not_be_deleted_is_told(store, s3):
    s3.order("answer", "POST", r"\?delete", times=9, status=403, code="AccessDenied", message="Access Denied")
    s3.order("answer", "DELETE", "old/b", times=9, status=403, code="AccessDenied", message="Access Denied")
    with pytest.raises(StorageError, match=r"old/b: .*[Dd]enied"):
        store.delete_all(["old/a", "old/b"])


def test_a_server_that_has_no_time_is_not_asked_for_each(store, s3):
    s3.order("answer", "POST", r"\?delete", times=99)
    with pytest.raises(StoreUnreachable):
        store.delete_all(["old/a", "old/b"])
    assert "DELETE" not in deletions(s3)
