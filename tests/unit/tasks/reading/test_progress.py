"""How far a run is: the estimate is honest, and the page says what there is."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tasks.reading.progress import FailedRecording, Progress, Step, left_in_words, progress_line, time_left
from tasks.reading.progress_page import MOST_FAILURES, failure_list, progress_page, stage_table
from tasks.stages.shard_report import ShardReport

MINUTE_MS = 60_000
FAILED = FailedRecording(
    source="a|b.mp3", stage="probe", error="UnreadableAudio", message="is <no> audio; look", is_transient=False
)


def steps_of(lumps):
    """Return the steps of work that took so long and brought so much."""
    elapsed, audio = (list(accumulate(column)) for column in zip(*lumps, strict=True))
    return [Step(*pair) for pair in zip(elapsed, audio, strict=True)]


def progress(**changes):
    values = {
        "run_id": "run",
        "phase": "shards",
        "n_shards": 4,
        "n_shards_done": 1,
        "n_recordings": 40,
        "n_recordings_done": 10,
        "audio_ms": 400 * MINUTE_MS,
        "audio_done_ms": 100 * MINUTE_MS,
        "elapsed_ms": 10 * MINUTE_MS,
        "left": None,
        "work": ShardReport(),
        "lost": (),
        "n_failed": 0,
        "failures": (),
    }
    return Progress(**values | changes)


@given(
    st.lists(st.integers(5_000, 100_000), min_size=3, max_size=30),
    st.integers(2, 200),
    st.floats(1, 20),
)
def test_at_a_steady_speed_the_truth_is_between_the_bounds(lasting_ms, speed, more):
    steps = steps_of([(ms, ms * speed) for ms in lasting_ms])
    done_ms, elapsed_ms = steps[-1].audio_ms, steps[-1].elapsed_ms
    found = time_left(steps, elapsed_ms, round(done_ms * (1 + more)))
    if found is not None:
        truth_ms = more * done_ms / speed
        assert found.low_ms - 1 <= truth_ms <= found.high_ms + 1
    else:
        assert elapsed_ms < 20_000 or 0.02 * (1 + more) > 1


@given(
    st.lists(st.tuples(st.integers(5_000, 600_000), st.integers(1, 10**7)), min_size=3, max_size=30),
    st.integers(0, 10**6),
    st.integers(0, 10**9),
)
def test_bounds_are_in_order_and_waiting_makes_nothing_sooner(lumps, idle_ms, left_ms):
    steps = steps_of(lumps)
    now_ms, audio_ms = steps[-1].elapsed_ms, steps[-1].audio_ms + left_ms
    found, later = time_left(steps, now_ms, audio_ms), time_left(steps, now_ms + idle_ms, audio_ms)
    for one in (found, later):
        assert one is None or 0 <= one.low_ms <= one.high_ms
    if found and later:
        assert later.high_ms >= found.high_ms


def test_too_little_is_no_estimate():
    lump = (30_000, 100)
    assert time_left([], 100_000, 10_000) is None
    assert time_left(steps_of([lump, lump]), 60_000, 10_000) is None
    assert time_left(steps_of([(1_000, 100)] * 3), 3_000, 10_000) is None
    assert time_left(steps_of([lump] * 3), 90_000, 1_000_000) is None
    assert time_left(steps_of([lump] * 3), 90_000, 10_000) is not None
    assert left_in_words(progress()) == "too early to say"


def test_a_line_says_how_far_it_is():
    left = time_left(steps_of([(200_000, 2_000_000)] * 3), 600_000, 24_000_000)
    line = progress_line(progress(left=left, n_failed=1))
    assert line.startswith("1 of 4 shards done, 1.67 h of 6.67 h, 1 recording failed, time left: ")
    assert "time left" not in progress_line(progress(phase="reduce"))


def test_the_page_has_it_all():
    work = ShardReport(audio_ms=100 * MINUTE_MS, stage_ms={"diarize": MINUTE_MS, "transcribe": 3 * MINUTE_MS})
    page = progress_page(progress(work=work, failures=(FAILED,), n_failed=1, lost=("shard 2 of 4: gone",)))
    assert "# 25 % of the audio is done" in page
    assert "| recordings done | 10 of 40 |" in page
    assert "| transcribe | 33 | 3 min | 75 % |\n| diarize | 100 | 1 min | 25 % |" in page
    assert "- **a\\|b.mp3**: UnreadableAudio in probe: is &lt;no&gt; audio; look. Tried again with" in page
    assert "shard 2 of 4: gone" in page
    assert "too early to say" in page


def test_tables_of_nothing_are_nothing():
    assert stage_table({}, 5) == stage_table({"probe": 0}, 5) == failure_list((), 0) == ""
    assert "Told when the first shard has ended." in progress_page(progress())


def test_a_page_stays_short():
    page = progress_page(progress(failures=(FAILED,) * 500, n_failed=500))
    assert page.count("UnreadableAudio") == MOST_FAILURES
    assert "The latest of 500 recordings." in page


@given(st.integers(0, 100), st.integers(0, 100))
def test_percent_is_of_the_audio_or_else_of_the_recordings(done, left):
    with_audio = progress(audio_done_ms=done, audio_ms=done + left)
    without = progress(audio_done_ms=0, audio_ms=0, n_recordings_done=done, n_recordings=done + left)
    assert 0 <= with_audio.percent <= 100
    assert without.percent == (100 * done / (done + left) if done + left else 100)
