"""Rows of turns as the lake has them, for tests that look for voices in them."""

from hypothesis import strategies as st


def turn(start_ms, end_ms, label, *, channel=0, chunk_index=0, is_exclusive=True, recipe="new"):
    return {
        "recording_id": "r",
        "channel": channel,
        "chunk_index": chunk_index,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "label": label,
        "is_exclusive": is_exclusive,
        "recipe": recipe,
    }


TURNS = st.lists(
    st.builds(
        lambda start, length, label: turn(start, start + length, label),
        st.integers(0, 50_000),
        st.integers(1, 5_000),
        st.sampled_from("ABC"),
    ),
    min_size=1,
    max_size=12,
)
