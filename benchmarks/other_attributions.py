"""How others give words their speakers, written anew from descriptions of what they do, to be measured beside.

- whisperX, ``assign_word_speakers``: every word is compared with every turn, in a data frame; what it shares with them
  is summed per speaker, and the largest sum wins. ``fill_nearest`` gives what no turn touches to the turn whose middle
  is nearest to the word's.
- aana, ``PostProcessingForDiarizedAsr``: turns are combined first, then every word takes the one turn it shares
  most with, or the speaker of the word before; at a change of speaker inside a sentence the whole sentence goes to
  whoever has most of its words.

Where aana's would fail (a last sentence without a full stop, an empty word) or depend on hashes (equal counts) it is
mended here: a recording's end ends a sentence, an empty word ends none, and of equals the first wins. Where it loses
words, all of them having no turn, they have no speaker here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tasks.attribution.columns import NOBODY, IntArray, TurnTimes, WordTimes

_MOST_WORDS = 50


def whisperx(words: WordTimes, turns: TurnTimes) -> IntArray:
    """Return the speaker of each word, -1 for nobody."""
    import pandas as pd

    frame = pd.DataFrame({"start": turns.start_ms / 1000, "end": turns.end_ms / 1000, "speaker": turns.speaker})
    said_by = []
    for start_s, end_s in zip((words.start_ms / 1000).tolist(), (words.end_ms / 1000).tolist(), strict=True):
        frame["shared"] = np.minimum(frame["end"], end_s) - np.maximum(frame["start"], start_s)
        touching = frame[frame["shared"] > 0]
        if len(touching):
            shares = touching.groupby("speaker")["shared"].sum().sort_values(ascending=False)
            said_by.append(int(shares.index[0]))
        else:
            said_by.append(NOBODY)
    return np.array(said_by, np.int64)


def fill_nearest(words: WordTimes, turns: TurnTimes, speaker: IntArray) -> IntArray:
    """Return the speakers with whisperX's ``fill_nearest``: nobody's words go to the turn with the nearest middle."""
    filled = speaker.copy()
    if len(turns.start_ms):
        middles = turns.start_ms + turns.end_ms
        for word in np.flatnonzero(speaker == NOBODY).tolist():
            nearest = np.abs(middles - words.start_ms[word] - words.end_ms[word]).argmin()
            filled[word] = turns.speaker[nearest]
    return filled


def aana(words: WordTimes, turns: TurnTimes) -> IntArray:
    """Return the speaker of each word, -1 for nobody."""
    combined = _combined(turns)
    spans = zip(words.start_ms.tolist(), words.end_ms.tolist(), strict=True)
    said_by = [_most_shared(start_ms, end_ms, combined) for start_ms, end_ms in spans]
    _fill(said_by)
    _follow_sentences(said_by, words.ends_sentence.tolist())
    return np.array(said_by, np.int64)


def _combined(turns: TurnTimes) -> list[tuple[int, int, int]]:
    """Return turns as (start_ms, end_ms, speaker): neighbours of one speaker as one, however far they are apart."""
    combined: list[tuple[int, int, int]] = []
    for index in np.lexsort((turns.end_ms, turns.start_ms)).tolist():
        start, end, speaker = (int(column[index]) for column in (turns.start_ms, turns.end_ms, turns.speaker))
        if combined and combined[-1][2] == speaker:
            combined[-1] = combined[-1][0], max(combined[-1][1], end), speaker
        else:
            combined.append((max(start, combined[-1][1]) if combined else start, end, speaker))
    return combined


def _most_shared(start_ms: int, end_ms: int, turns: Sequence[tuple[int, int, int]]) -> int:
    best_ms, best = 0, NOBODY
    for start, end, speaker in turns:
        shared_ms = min(end_ms, end) - max(start_ms, start)
        if shared_ms > best_ms:
            best_ms, best = shared_ms, speaker
    return best


def _fill(said_by: list[int]) -> None:
    """Give nobody's words to who spoke before; the first ones to who speaks after."""
    before = next((speaker for speaker in said_by if speaker != NOBODY), NOBODY)
    for word, speaker in enumerate(said_by):
        before = speaker if speaker != NOBODY else before
        said_by[word] = before


def _follow_sentences(said_by: list[int], ends_sentence: Sequence[bool]) -> None:
    word = 0
    while word < len(said_by) - 1:
        if said_by[word] != said_by[word + 1] and not ends_sentence[word]:
            word = _follow_sentence(said_by, ends_sentence, word)
        word += 1


def _follow_sentence(said_by: list[int], ends_sentence: Sequence[bool], word: int) -> int:
    """Give the sentence around a change of speaker to one of them, if it may be; return where to go on."""
    first = last = word
    while (
        first and word - first < _MOST_WORDS and said_by[first - 1] == said_by[first] and not ends_sentence[first - 1]
    ):
        first -= 1
    while last < len(said_by) - 1 and last - first < _MOST_WORDS and not ends_sentence[last]:
        last += 1
    has_both_ends = (not first or ends_sentence[first - 1]) and (last == len(said_by) - 1 or ends_sentence[last])
    sentence = said_by[first : last + 1]
    main, count = Counter(sentence).most_common(1)[0]
    if not has_both_ends or count < len(sentence) // 2:
        return word
    said_by[first : last + 1] = [main] * len(sentence)
    return last
