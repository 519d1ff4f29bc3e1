"""However a recording is cut, the lake says the same: with engines whose answers do not depend on what surrounds them.

Lengths are a sixtieth of the real ones: 5, 10 and 20 seconds in the place of minutes.
"""

import random
from collections import Counter

import pytest

from storage.records import Turn
from tasks.audio.chunking import ChunkOptions
from tasks.reading.accounting import prove_coverage
from tests.diarization_error import error_time
from tests.lakes import fake_spec, query, run_whole, write_wav
from tests.tones import spoken, tone_clip

LENGTHS_MS = (5_000, 10_000, 20_000)
VOICES_HZ = (300, 900, 1500)
WORDS = "SELECT start_ms, end_ms, text, local_speaker FROM words ORDER BY word_index"


def talk(seed, pauses_ms, *, turns=16, overlap=0.0):
    """Return sounds of people who take turns, now and then before the other has ended.

    With the seeds here everybody is alone for half a second in every chunk they are in: a voice of less has no
    fingerprint, and nobody knows whose it is. A chunk of minutes seldom holds so little of anybody.
    """
    drawn, sounds, at_ms = random.Random(seed), [], 500
    for turn in range(turns):
        said = spoken(at_ms, VOICES_HZ[(turn + drawn.randint(0, 1)) % len(VOICES_HZ)], drawn.randint(8, 14))
        sounds += said
        at_ms = said[-1][1] + drawn.choice(pauses_ms)
        if drawn.random() < overlap:
            at_ms = said[-2][0] // 10 * 10
    return sorted(sounds)


def lakes(tmp_path, *channels, lengths_ms=LENGTHS_MS):
    """Return the lakes of one recording, without chunks and with chunks of each length."""
    duration_ms = max(end for sounds in channels for _, end, _ in sounds) + 500
    write_wav(tmp_path / "archive" / "long.wav", *(tone_clip(duration_ms, sounds) for sounds in channels))
    made = [tmp_path / "whole"]
    run_whole(fake_spec(tmp_path / "archive", made[0]))
    for length_ms in lengths_ms:
        chunking = ChunkOptions(target_ms=length_ms, max_ms=length_ms * 2, min_ms=2_000)
        made.append(tmp_path / f"{length_ms}")
        run_whole(fake_spec(tmp_path / "archive", made[-1], chunking=chunking))
        assert n_chunks(made[-1]) >= duration_ms // (length_ms * 2)
    assert all(prove_coverage(str(lake)).is_complete for lake in made)
    return made


def wrong_ms(lake, sounds):
    """Return how much is missed, invented or given to another, against a turn for each word."""
    rows = query(lake, "SELECT start_ms, end_ms, local_speaker FROM turns WHERE NOT is_exclusive")
    heard = [Turn(start_ms=start, end_ms=end, speaker=who) for start, end, who in rows]
    said = [Turn(start_ms=start, end_ms=end, speaker=f"{voice}") for start, end, voice in sounds]
    return 10 * error_time(heard, said, max(end for _, end, _ in sounds) + 500)[0]


def n_chunks(lake):
    ((n,),) = query(lake, "SELECT count(DISTINCT chunk_index) FROM fingerprints")
    return n


@pytest.mark.parametrize("overlap", [0.0, 0.3], ids=["in turn", "at once"])
def test_words_speakers_and_turns_are_the_same(tmp_path, overlap):
    """A border may only take a pause out of a turn: less than 100 ms, in chunks of 5 minutes 0.03 % of the time."""
    sounds = talk(1, (400, 900), overlap=overlap)
    whole, *cut = lakes(tmp_path, sounds)
    expected = query(whole, WORDS)
    assert len({speaker for *_, speaker in expected}) == len(VOICES_HZ)
    for lake in cut:
        assert query(lake, WORDS) == expected
        assert abs(wrong_ms(lake, sounds) - wrong_ms(whole, sounds)) < 100 * (n_chunks(lake) - 1)


def test_without_a_silence_within_reach_no_word_is_lost_doubled_or_cut(tmp_path):
    """Where a border leaves a scrap of a turn, less than half a second, nobody knows who says it."""
    whole, *cut = lakes(tmp_path, talk(1, (60,)))
    expected = [word for *word, _ in query(whole, WORDS)]
    for lake in cut:
        words = query(lake, WORDS)
        assert [word for *word, _ in words] == expected
        by_voice = {}
        for _, _, text, speaker in words:
            by_voice.setdefault(text.split("x")[0], Counter())[speaker] += 1
        strays = sum(found.total() - max(found.values()) for found in by_voice.values())
        assert strays <= n_chunks(lake) - 1


def test_channels_of_their_own_are_the_same(tmp_path):
    sounds = talk(3, (400, 900))
    left = [(start, end, 300) for start, end, voice in sounds if voice != 900]
    right = [(start, end, 900) for start, end, voice in sounds if voice == 900]
    whole, *cut = lakes(tmp_path, left, right, lengths_ms=(5_000,))
    assert query(whole, "SELECT channel_mode FROM recordings") == [("split",)]
    for lake in cut:
        assert query(lake, WORDS) == query(whole, WORDS)


def test_a_sound_that_never_stops_is_neither_lost_nor_doubled_at_a_border(tmp_path):
    """A word that is cut in two is two words, that touch and fill its time: nothing can be known of it elsewhere."""
    whole, *cut = lakes(tmp_path, [(500, 60_500, 300)], lengths_ms=(5_000, 20_000))
    assert query(whole, WORDS) == [(500, 60_500, "v300x1200", "S0")]
    for lake in cut:
        times = [(start, end) for start, end, _, _ in query(lake, WORDS)]
        assert [times[0][0], *(end for _, end in times)] == [*(start for start, _ in times), 60_500]
        assert query(lake, "SELECT DISTINCT local_speaker FROM words") == [("S0",)]
