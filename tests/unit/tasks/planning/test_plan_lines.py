from hypothesis import given
from hypothesis import strategies as st

from storage.records import SourceHints, SourceObject, SpeakerBounds
from storage.store import Store
from tasks.planning.plan_lines import packed, read_line, read_lines, unpacked, write_lines

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
objects = st.builds(SourceObject, source=names, size_bytes=st.integers(0, 2**50), mark=names)
hints = st.builds(
    SourceHints,
    language=st.sampled_from([None, "de", "en"]),
    speakers=st.sampled_from([SpeakerBounds(), SpeakerBounds(min_speakers=2, max_speakers=3)]),
    title=st.none() | names,
)
sources = st.lists(st.tuples(objects, hints), max_size=8)


@given(sources)
def test_sources_come_back_as_they_were(some):
    line = packed(some)
    assert unpacked(line) == some
    assert len(line["hints"]) == len({given for _, given in some})


@given(st.lists(sources, max_size=5))
def test_any_line_is_read_without_the_others(tmp_path_factory, many):
    store = Store(str(tmp_path_factory.mktemp("lake")))
    bounds = write_lines(store, "lines", map(packed, many))
    assert [unpacked(line) for line in read_lines(store, "lines")] == many
    for number, some in enumerate(many):
        assert unpacked(read_line(store, "lines", bounds, number)) == some
