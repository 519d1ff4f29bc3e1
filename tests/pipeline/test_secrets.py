"""No credential of an address comes into the lake."""

from pathlib import Path

import pytest

from storage.errors import ConfigError
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tests.lakes import fake_spec, write_archive


@pytest.mark.parametrize(
    "url", ["s3://key:hunter2@bucket/a", "https://host.example/a?token=hunter2", "https://host.example/a#hunter2"]
)
@pytest.mark.parametrize("place", ["archive", "lake"])
def test_addresses_with_secrets_are_refused(tmp_path, place, url):
    places = {"archive": write_archive(tmp_path / "archive"), "lake": tmp_path / "lake", place: url}
    with pytest.raises(ConfigError) as refusal:
        plan_run(fake_spec(**places))
    assert "hunter2" not in str(refusal.value)


def test_the_plan_does_not_keep_the_secret_of_a_manifest(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.planning.plan.read_manifest", lambda *_: {})
    archive, lake = write_archive(tmp_path / "archive"), tmp_path / "lake"
    plan = plan_run(fake_spec(archive, lake, manifest="https://host.example/hints.csv?signature=hunter2"))
    write_plan(plan)
    assert plan.spec.manifest == "https://host.example/hints.csv"
    assert not any(b"hunter2" in path.read_bytes() for path in Path(lake).rglob("*") if path.is_file())
