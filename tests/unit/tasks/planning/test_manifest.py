import contextlib
import csv
import io
import json
import logging

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import ManifestInvalid
from storage.records import SourceHints, SpeakerBounds
from tasks.planning.manifest import find_manifest, read_manifest, source_at

FULL = {
    "source": "calls/a b.wav",
    "language": "EN-us",
    "speakers": "2-4",
    "channel_mode": "split",
    "collection": "calls",
    "title": 'Ähm, "the" call\nwith a newline',
    "recorded_at": "1998-05-31T10:00:00+02:00",
}
HINTS = SourceHints(
    language="en",
    speakers=SpeakerBounds(min_speakers=2, max_speakers=4),
    channel_mode="split",
    collection="calls",
    title=FULL["title"],
    recorded_at=FULL["recorded_at"],
)


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_jsonl(rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def as_parquet(rows):
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FORMATS = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}


def read(folder, content, suffix="csv"):
    path = folder / f"manifest.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_manifest(str(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_all_columns_in_all_formats(tmp_path, suffix):
    assert read(tmp_path, FORMATS[suffix]([FULL]), suffix) == {"calls/a b.wav": HINTS}


bounds = st.one_of(
    st.just(("", SpeakerBounds())),
    st.integers(1, 50).map(lambda n: (str(n), SpeakerBounds(min_speakers=n, max_speakers=n))),
    st.tuples(st.integers(1, 50), st.integers(0, 50)).map(
        lambda pair: (
            f"{pair[0]}-{pair[0] + pair[1]}",
            SpeakerBounds(min_speakers=pair[0], max_speakers=pair[0] + pair[1]),
        )
    ),
)
text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=20)
names = text.filter(bool).map(lambda name: name.replace("/", "-")).filter(lambda name: name not in {".", ".."})
sources = st.lists(names, min_size=1, max_size=3).map("/".join)


@st.composite
def spellings(draw, source):
    """Return another way to write a source: what may stand between any two of its parts leads nowhere."""
    idle = st.lists(st.sampled_from([".", "", "x/..", "x/./y/../.."]), max_size=3)
    first, *parts = source.split("/")
    written = [*draw(idle.map(lambda parts: [part for part in parts if part])), first]
    for part in parts:
        written += [*draw(idle), part]
    return "/".join(written)


@given(
    rows=st.dictionaries(sources, st.tuples(text, bounds), min_size=1),
    suffix=st.sampled_from(list(FORMATS)),
)
def test_whatever_is_written_is_read(tmp_path_factory, rows, suffix):
    content = FORMATS[suffix](
        [{"source": source, "title": title, "speakers": said} for source, (title, (said, _)) in rows.items()]
    )
    hints = read(tmp_path_factory.mktemp("manifest"), content, suffix)
    assert hints == {
        source: SourceHints(title=title or None, speakers=limits) for source, (title, (_, limits)) in rows.items()
    }


@given(data=st.data(), chosen=st.lists(sources, min_size=1, max_size=4, unique=True))
def test_a_source_may_be_written_in_any_way_but_once(tmp_path_factory, data, chosen):
    folder = tmp_path_factory.mktemp("manifest")
    rows = [{"source": data.draw(spellings(source)), "title": source} for source in chosen]
    hints = read(folder, as_jsonl(rows), "jsonl")
    assert {source: said.title for source, said in hints.items()} == {source: source for source in chosen}
    again = data.draw(st.sampled_from(chosen))
    twice = [*rows, {"source": data.draw(spellings(again)), "title": "another"}]
    with pytest.raises(ManifestInvalid) as caught:
        read(folder, as_jsonl(twice), "jsonl")
    assert f"line {len(twice)}: {again!r} was described before" in str(caught.value)


@given(source=sources, n_up=st.integers(1, 3))
def test_a_path_that_leaves_the_archive_is_refused(tmp_path_factory, source, n_up):
    depth = source.count("/")
    for path in (f"{source}/{'../' * (depth + 1 + n_up)}a.wav", "../" * n_up + source, f"/{source}", "..", "."):
        with pytest.raises(ManifestInvalid, match=r"line 1: source .* is no path of a recording below the archive"):
            read(tmp_path_factory.mktemp("manifest"), as_jsonl([{"source": path}]), "jsonl")


def test_names_that_the_archive_lists_so_are_left_as_they_are():
    listed = {"a//b.wav", "a/b.wav"}
    assert [source_at(path, listed) for path in ("a//b.wav", "a/b.wav", "./a/b.wav", "a///b.wav")] == [
        "a//b.wav",
        "a/b.wav",
        "a/b.wav",
        "a/b.wav",
    ]


@given(content=st.binary(max_size=200), suffix=st.sampled_from(list(FORMATS)))
def test_garbage_is_refused_or_read_but_never_anything_else(tmp_path_factory, content, suffix):
    with contextlib.suppress(ManifestInvalid):
        read(tmp_path_factory.mktemp("manifest"), content, suffix)


def test_empty_cells_say_nothing(tmp_path):
    assert read(tmp_path, "source,language,speakers,title\na.wav,,  ,\n") == {"a.wav": SourceHints()}


def test_a_byte_order_mark_and_blanks_in_the_header_do_no_harm(tmp_path):
    assert read(tmp_path, "\ufeffsource, language\r\na.wav,de\r\n") == {"a.wav": SourceHints(language="de")}


def test_minimum_and_maximum_apart(tmp_path):
    hints = read(tmp_path, "source,min_speakers,max_speakers\na.wav,2,\nb.wav,,5\n")
    assert hints["a.wav"].speakers == SpeakerBounds(min_speakers=2)
    assert hints["b.wav"].speakers == SpeakerBounds(max_speakers=5)


def test_numbers_of_json_and_parquet(tmp_path):
    rows = [{"source": "a.wav", "speakers": 3.0, "recorded_at": None}]
    for suffix in ("jsonl", "parquet"):
        assert read(tmp_path, FORMATS[suffix](rows), suffix)["a.wav"].speakers.max_speakers == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("source,speakers\na.wav,2\nb.wav,many\n", "line 3: speakers 'many'"),
        ("source,speakers\na.wav,4-2\n", "line 2: impossible number"),
        ("source,speakers\na.wav,0\n", "line 2: impossible number"),
        ("source,speakers,min_speakers\na.wav,2,1\n", "line 2: it has both"),
        ("source,language\na.wav,English\n", "line 2: language 'English'"),
        ("source,channel_mode\na.wav,left\n", "line 2: channel_mode 'left'"),
        ("source,recorded_at\na.wav,31.5.1998\n", "line 2: recorded_at"),
        ("source,title\na.wav,x\na.wav,y\n", "line 3: 'a.wav' was described before"),
        ("source,title\n,x\n", "line 2: it names no source"),
        ("source,title\na.wav\n", "line 2: it has not as many fields"),
        ("file,title\na.wav,x\n", "no column 'source', only 'file', 'title'"),
        ("", "no column 'source'"),
        (b"source\n\xff\xfe.wav\n", "cannot be understood"),
    ],
)
def test_errors_name_the_line(tmp_path, content, reason):
    with pytest.raises(ManifestInvalid) as caught:
        read(tmp_path, content)
    assert reason in str(caught.value)
    assert "manifest.csv" in caught.value.subject


def test_errors_of_json_lines_name_the_line(tmp_path):
    with pytest.raises(ManifestInvalid, match="line 3: it is not JSON"):
        read(tmp_path, '{"source": "a.wav"}\n\n{"source": \n', "jsonl")
    with pytest.raises(ManifestInvalid, match="line 1: it is not an object"):
        read(tmp_path, "[1]\n", "jsonl")


def test_unknown_columns_are_ignored_with_a_warning(tmp_path, our_logs):
    with our_logs.at_level(logging.WARNING):
        assert read(tmp_path, "source,shelf,box\na.wav,1,2\n") == {"a.wav": SourceHints()}
    assert "ignored the columns box, shelf" in our_logs.text


def test_rows_that_name_nothing_are_told(tmp_path, our_logs):
    (tmp_path / "m.csv").write_text("source\na.wav\nzebra.wav\nb.wav\n./c.wav\n")
    with our_logs.at_level(logging.WARNING):
        assert len(read_manifest(str(tmp_path / "m.csv"), {"a.wav", "c.wav"})) == 4
    assert "2 rows without a recording in the archive, the first for 'b.wav'" in our_logs.text


def test_a_missing_manifest_is_invalid(tmp_path):
    with pytest.raises(ManifestInvalid, match="cannot be read"):
        read_manifest(str(tmp_path / "none.csv"))


def test_the_archive_s_own_manifest_is_found(tmp_path):
    assert find_manifest(str(tmp_path)) is None
    (tmp_path / "manifest.csv").write_text("source\na.wav\n")
    assert read_manifest(find_manifest(str(tmp_path))) == {"a.wav": SourceHints()}
    assert read_manifest(find_manifest(f"file://{tmp_path}")) == {"a.wav": SourceHints()}
