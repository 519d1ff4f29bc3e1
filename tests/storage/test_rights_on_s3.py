"""The rights that docs/storage.md lists are enough, and whoever only reads cannot write.

moto holds people to their policies, by action and object. Only a deletion of many objects it takes to be one of the
bucket, so here they go one by one; and it has no upload in parts that fails.
"""

import json
import re
import urllib.request
import uuid
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from storage.catalog import open_catalog
from storage.errors import StorageError
from storage.lake import Lake
from storage.store import Store
from tasks.maintenance.maintain import maintain_lake
from tasks.people.lists import name_person
from tests.lakes import fake_spec, run_whole, write_archive

DOCS = Path(__file__).parents[2] / "docs" / "storage.md"
PLACES = {"both buckets": ("archive", "lake"), "both": ("archive", "lake"), "lake": ("lake",)}
ROW = re.compile(r"^\| `(s3:\w+)` \| ([\w ]+) \| (yes) \| (no|of the lake) \|", re.MULTILINE)


def documented(buckets):
    """Return the statements of the job's policy and of the readers', by the table of the docs."""
    job, readers = [], []
    for action, places, _, read in ROW.findall(DOCS.read_text()):
        job += [allow(action, buckets[place]) for place in PLACES[places]]
        readers += [allow(action, buckets["lake"])] if read == "of the lake" else []
    return job, readers


def allow(action, bucket, below="/*"):
    objects = "" if action == "s3:ListBucket" else below
    return {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{bucket}{objects}"}


class People:
    """Who may do what, on a server that looks."""

    def __init__(self, url, known):
        """Make the two buckets."""
        self.url, self.known, self.secrets = url, known, []
        known(url)
        self.buckets = {place: f"{place}-{uuid.uuid4().hex}" for place in ("archive", "lake")}
        for bucket in self.buckets.values():
            boto3.client("s3").create_bucket(Bucket=bucket)

    def invite(self, statements):
        """Return the credentials of somebody new."""
        iam, name = boto3.client("iam"), uuid.uuid4().hex
        iam.create_user(UserName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.secrets.append(key["SecretAccessKey"])
        return key["AccessKeyId"], key["SecretAccessKey"]

    def enforce(self, after):
        """Have the server look at rights once it has answered so many requests more."""
        headers = {"Content-Type": "text/plain"}
        address = f"{self.url}/moto-api/reset-auth"
        request = urllib.request.Request(address, after.encode(), headers, method="POST")
        urllib.request.urlopen(request).close()


@pytest.fixture
def people(s3_process, known):
    """Return two buckets without a proxy, whose address would not be the one that was signed."""
    found = People(s3_process, known)
    yield found
    found.enforce("inf")


def refused(people, call, *arguments):
    with pytest.raises(StorageError, match="Access Denied; check permission") as caught:
        call(*arguments)
    assert not any(secret in str(caught.value) for secret in people.secrets)


def test_the_documented_rights_are_enough_and_readers_cannot_write(people, tmp_path, monkeypatch):
    archive, lake = (f"s3://{people.buckets[place]}/data" for place in ("archive", "lake"))
    job_statements, readers_statements = documented(people.buckets)
    assert (len(job_statements), len(readers_statements)) == (7, 2)
    job, reader = people.invite(job_statements), people.invite(readers_statements)
    names = allow("s3:PutObject", people.buckets["lake"], "/data/names/*")
    namer = people.invite([*readers_statements, names])
    Store(archive).put("rec.wav", (write_archive(tmp_path / "archive") / "rec 0.wav").read_bytes())
    people.enforce("0")

    people.known(people.url, *job)
    assert run_whole(fake_spec(archive, lake)).shards.n_recordings == 1
    Store(lake).put("facts/words/killed.parquet", b"")
    later = Store(lake).now() + timedelta(days=2)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "now", lambda _: later)
        assert maintain_lake(lake, grace_days=1).deleted == {"facts": 1}
    refused(people, Store(archive).put, "new.wav", b"")

    people.known(people.url, *reader)
    with open_catalog(lake) as catalog:
        ((speaker_id, text),) = catalog.execute("SELECT speaker_id, text FROM transcripts LIMIT 1").fetchall()
        assert catalog.execute("SELECT count(*) > 0 FROM search($1)", [text.split()[0]]).fetchall() == [(True,)]
    refused(people, name_person, lake, speaker_id, "Grace")
    refused(people, maintain_lake, lake)
    refused(people, Store(lake).delete_all, ["publications/00000001.json"])
    refused(people, Store(archive).read, "rec.wav")

    people.known(people.url, *namer)
    name_person(lake, speaker_id, "Grace")
    assert set(Lake(lake).names().values()) == {"Grace"}
    refused(people, Store(lake).put, "publications/00000009.json", b"")
