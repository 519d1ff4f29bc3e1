"""Hypothesis strategies for documents: legal records with hostile text."""

from hypothesis import strategies as st

from storage.formats.document import Document, DocumentTurn, DocumentUtterance, DocumentWord

HOUR_MS = 3_600_000

TRAPS = [
    "-->", "00:00:01,000 --> 00:00:02,000", "[00:01:02]", "Ann: yes", "- ", "-", "1", "NOTE", "WEBVTT", "S1?",
    "unknown", "<NA>", "<v Bob>", "</v>", "&lt;", "&", "<", '"', '""', "'", ";;", ";", "%20", "100%", "{\\an8}", "\\n",
    "x" * 60, "שלום עולם", "مرحبا", "👩‍👩‍👧", "日本語の文", "ﬁ\u0301",
    "a\nb", "a\r\n\r\nb", "\t", "\u2028", "\u00a0", "\x00", "\ufeff", "\x85",
]  # fmt: skip

characters = st.characters(exclude_categories=["Cs"])
texts = st.lists(st.sampled_from(TRAPS) | st.text(characters, max_size=12), max_size=5).map(" ".join)
names = (st.sampled_from([*TRAPS, "S1", "Ann Lee", "O'Brien <x@y>", "Zoë"]) | st.text(characters, max_size=20)).filter(
    lambda name: bool(name.strip())
)
speakers = st.none() | st.sampled_from(["S1", "S2", "Ann Lee"]) | names
confidences = st.none() | st.floats(min_value=0, max_value=1, allow_nan=False)
channels = st.integers(min_value=0, max_value=3)


@st.composite
def spans(draw: st.DrawFn, longest_ms: int = 20_000) -> tuple[int, int]:
    start_ms = draw(st.integers(min_value=0, max_value=20_000) | st.integers(min_value=0, max_value=200 * HOUR_MS))
    return start_ms, start_ms + draw(st.integers(min_value=0, max_value=longest_ms))


@st.composite
def utterances(draw: st.DrawFn) -> DocumentUtterance:
    """Half of them with words, whose texts are then the utterance's."""
    start_ms, end_ms = draw(spans())
    speaker = draw(speakers)
    words: tuple[DocumentWord, ...] = ()
    text = draw(texts)
    if draw(st.booleans()):
        words = draw(words_within(start_ms, end_ms, speaker))
        text = " ".join(word.text for word in words)
    return DocumentUtterance(
        start_ms=start_ms,
        end_ms=end_ms,
        speaker=speaker,
        is_uncertain=draw(st.booleans()),
        text=text,
        confidence=draw(confidences),
        language=draw(st.none() | st.sampled_from(["en", "de", "ja"])),
        is_overlapped=draw(st.booleans()),
        flags=tuple(sorted(draw(st.sets(st.sampled_from(["repetition", "compression"]))))),
        words=words,
    )


@st.composite
def words_within(draw: st.DrawFn, start_ms: int, end_ms: int, speaker: str | None) -> tuple[DocumentWord, ...]:
    times = st.tuples(*[st.integers(min_value=start_ms, max_value=end_ms)] * 2).map(sorted)
    channel = draw(channels)
    return tuple(
        DocumentWord(
            start_ms=first,
            end_ms=last,
            text=draw(texts),
            confidence=draw(confidences),
            speaker=speaker,
            channel=channel,
        )
        for first, last in sorted(draw(st.lists(times, max_size=8)))
    )


@st.composite
def turns(draw: st.DrawFn) -> DocumentTurn:
    start_ms, end_ms = draw(spans())
    return DocumentTurn(
        start_ms=start_ms,
        end_ms=end_ms,
        speaker=draw(speakers),
        channel=draw(channels),
        confidence=draw(confidences),
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    return Document(
        name=draw(names),
        recording_id=draw(st.none() | st.text("0123456789abcdef", min_size=8, max_size=8)),
        duration_ms=draw(st.none() | st.integers(min_value=0, max_value=300 * HOUR_MS)),
        language=draw(st.none() | st.just("en")),
        utterances=_by_start(draw(st.lists(utterances(), max_size=6))),
        turns=_by_start(draw(st.lists(turns(), max_size=6))),
    )


def _by_start(timed: list) -> tuple:
    return tuple(sorted(timed, key=lambda item: (item.start_ms, item.end_ms)))
