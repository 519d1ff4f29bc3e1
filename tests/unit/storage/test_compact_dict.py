"""A compact dictionary is a dictionary, however its entries are kept."""

import sys
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.compact_dict import Codes, CompactDict


class SameHash(str):
    """Text that no table can tell from other text by its hash."""

    __slots__ = ()

    def __hash__(self):
        return 7


ENTRIES = st.lists(st.tuples(st.text("abcä\0", max_size=3), st.integers(-1, 1 << 70)), max_size=60)


@pytest.mark.parametrize("kind", [str, SameHash])
@given(entries=ENTRIES)
def test_it_holds_what_a_dictionary_holds(kind, entries):
    found = CompactDict(lambda key, value: (str(key), value), lambda row: kind(row[0]), itemgetter(1))
    expected = {}
    for key, value in entries:
        found[kind(key)] = expected[kind(key)] = value
    assert dict(found.items()) == expected
    assert len(list(found.items())) == len(expected)
    assert {key: found.get(key) for key in expected} == expected
    assert found.get(kind("z")) is None


def test_an_entry_is_a_few_bytes():
    found = CompactDict(lambda key, value: (key, value), itemgetter(0), itemgetter(1))
    for number in range(10_000):
        found[f"{number:064}"] = number
    kept = sum(sys.getsizeof(one) for one in (found._rows, found._ends, found._hashes, found._slots))
    assert kept / 10_000 < 64 + 64


def test_few_values_have_numbers():
    codes = Codes()
    assert [codes.number(value) for value in ("a", "b", "a")] == [0, 1, 0]
    assert [codes.value(number) for number in (0, 1)] == ["a", "b"]
