import json
from dataclasses import dataclass, field

import pytest

from storage.errors import ConfigError
from tasks.engines.options import NO_EFFECT, canonical_json, parse_options
from tasks.engines.weights import weights_digest


@dataclass(frozen=True, kw_only=True)
class Options:
    threshold: float = 0.5
    beam: int = 4
    language: str | None = None
    cased: bool = True
    steps: tuple[float, ...] = (0.5,)
    batch_size: int = field(default=8, metadata=NO_EFFECT)

    def __post_init__(self):
        if self.beam < 1:
            message = f"beam must be at least 1, not {self.beam}"
            raise ValueError(message)


def parse(**options):
    return parse_options("demo", Options, options)


def test_what_is_not_given_keeps_its_default():
    assert parse(language="en") == Options(language="en")
    assert parse(language=None) == Options()


def test_a_whole_number_serves_as_a_float():
    threshold = parse(threshold=1).threshold
    assert threshold == 1.0
    assert type(threshold) is float


def test_a_list_serves_as_a_tuple():
    assert parse(steps=[0, 0.5]).steps == (0.0, 0.5)


def test_text_is_read_where_no_text_is_wanted_because_the_environment_has_nothing_else():
    said = parse(beam="2", cased="false", threshold="1", steps="[0, 0.2]", language="12")
    assert said == Options(beam=2, cased=False, threshold=1.0, steps=(0.0, 0.2), language="12")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"treshold": 0.5}, "unknown option treshold"),
        ({"threshold": "half"}, "option threshold must be float, not 'half'"),
        ({"threshold": "NaN"}, "option threshold must be float, not nan"),
        ({"steps": [1, "half"]}, "option steps must be float, not 'half'"),
        ({"steps": 0.5}, "option steps must be a list of float, not 0.5"),
        ({"threshold": float("nan")}, "option threshold must be float, not nan"),
        ({"beam": 4.0}, "option beam must be int, not 4.0"),
        ({"beam": True}, "option beam must be int, not True"),
        ({"cased": 1}, "option cased must be bool, not 1"),
        ({"language": 3}, "option language must be str or None, not 3"),
        ({"beam": 0}, "beam must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_is_said_with_the_options_there_are(options, problem):
    with pytest.raises(ConfigError) as caught:
        parse(**options)
    assert caught.value.problem == problem
    assert caught.value.subject == "engine 'demo'"
    assert (
        "threshold (0.5), beam (4), language (None), cased (True), steps ((0.5,)), batch_size (8)"
        in caught.value.remedy
    )


def test_canonical_json_is_the_same_for_the_same_results():
    text = canonical_json(parse(threshold=1, batch_size=2))
    assert text == canonical_json(Options(threshold=1.0, batch_size=99))
    assert text != canonical_json(Options())
    assert json.loads(text) == {"beam": 4, "cased": True, "language": None, "steps": [0.5], "threshold": 1.0}
    assert text.index("beam") < text.index("cased") < text.index("threshold")
    assert " " not in text


def test_a_digest_follows_names_and_contents_but_not_places(tmp_path):
    def weights(folder, **contents):
        (tmp_path / folder).mkdir()
        for name, content in contents.items():
            (tmp_path / folder / name).write_text(content)
        return weights_digest((tmp_path / folder).iterdir())

    digest = weights("here", a="1", b="2")
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert digest == weights("there", b="2", a="1")
    assert digest != weights("swapped", a="2", b="1")
    assert digest != weights("renamed", a="1", c="2")
