"""Numbers in words."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tasks.wording import counted, lasting, of_audio, plain


def test_one_is_not_many():
    assert [counted(n, "recording") for n in (0, 1, 2, 1200)] == [
        "0 recordings",
        "1 recording",
        "2 recordings",
        "1,200 recordings",
    ]


def test_times_are_told_as_people_do():
    assert [lasting(s * 1000) for s in (4, 754, 8_700, 187_200)] == ["4 s", "13 min", "2 h 25 min", "2 d 4 h"]
    assert [of_audio(s * 1000) for s in (90, 5_400)] == ["1.5 min", "1.50 h"]


@given(st.integers(0, 10**12))
def test_no_unit_is_too_full(ms):
    full = {"s": 60, "min": 60, "h": 24}
    for number, unit in re.findall(r"(\d+) (s|min|h)\b", lasting(ms)):
        assert int(number) <= full[unit]


@given(st.text())
def test_what_is_plain_is_one_line_and_no_markdown(text):
    found = plain(text)
    assert "\n" not in found
    assert not re.search(r"(?<!\\)\|", found.replace("\\\\", ""))
    assert not {"<", ">"} & {*found}
