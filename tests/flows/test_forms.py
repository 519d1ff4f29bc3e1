"""The parameters of the flows as forms: titled, explained, in a sensible order, and checked before a run begins."""

from typing import get_args

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema

from flows.archive import transcribe_archive
from flows.cli_options import RunOptions
from flows.evaluate import evaluate_lake
from flows.lake import publish_lake
from flows.maintain import maintain_lake
from flows.profiles import PROFILES
from flows.shards import take_shards
from flows.speakers import link_speakers
from tasks.planning.spec import Runner

FLOWS = (transcribe_archive, link_speakers, publish_lake, evaluate_lake, maintain_lake, take_shards)


def schema(flow):
    return parameter_schema(flow).model_dump_for_openapi()


def allowed(described):
    """Return the values that a parameter takes, where they are few; ``$ref`` and null apart."""
    kinds = [described, *described.get("anyOf", ())]
    return next((kind["enum"] for kind in kinds if "enum" in kind), None)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_has_a_title_and_says_what_it_means(flow):
    whole = schema(flow)
    fields = whole["properties"]
    assert [described["position"] for described in fields.values()] == list(range(len(fields)))
    for name, described in fields.items():
        group = described.get("$ref", "").rpartition("/")[2]
        title = described.get("title") or whole["definitions"][group]["title"]
        assert title[0].isupper(), name
        assert "_" not in title, name
        assert described["description"].endswith("."), name


def test_what_must_be_given_comes_first():
    fields = schema(transcribe_archive)
    assert fields["required"] == ["archive", "lake"]
    assert list(fields["properties"])[:4] == ["archive", "lake", "profile", "manifest"]


def test_choices_are_those_of_the_code():
    fields = schema(transcribe_archive)["properties"]
    assert allowed(fields["profile"]) == ["auto", *(profile.name for profile in PROFILES)]
    assert allowed(fields["runner"]) == list(get_args(Runner))
    assert f"Literal{list(get_args(Runner))!r} | None".replace("'", '"') == RunOptions.__annotations__[
        "runner"
    ].replace("'", '"')


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"profile": "bigger"}, "profile"),
        ({"language": "English"}, "language"),
        ({"workers": 0}, "workers"),
        ({"runner": "cloud"}, "runner"),
        ({"dask_address": "10.0.0.5"}, "dask_address"),
        ({"archive": ""}, "archive"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(wrong, said):
    with pytest.raises(ParameterTypeError, match=said):
        transcribe_archive.validate_parameters({"archive": "archive", "lake": "lake", **wrong})


def test_what_can_be_is_not():
    given = {"archive": "s3://a/b", "lake": "lake", "profile": "embedded", "language": "en", "workers": 3}
    transcribe_archive.validate_parameters({**given, "runner": "pool", "pool": "cpu"})
