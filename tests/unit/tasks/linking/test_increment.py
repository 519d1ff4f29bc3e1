import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.increment import add_voices
from tasks.linking.local import name_local_speakers
from tasks.linking.speakers import LinkOptions, link_speakers, voices_in
from tasks.linking.voices import COMMON_PRIOR, has_voice
from tests.voices import agreement, archive, columns, heard, linked, partition, row

OPTIONS = LinkOptions()


def added(before, more):
    """People of rows that were there and of those that came, by the name of their group; and the addition."""
    _, links, speakers = linked(before)
    known = links.found.clusters.alive()
    group = {int(links.found.speaker_of[row]): at for at, row in enumerate(known)}
    assert len(group) == len(known), "without decisions a person has one group"
    news = name_local_speakers(columns(more), COMMON_PRIOR)
    rows = np.flatnonzero(has_voice(news.vectors))
    addition = add_voices(
        links.found.clusters.groups.kept(known),
        links.found.space,
        voices_in(links.found.space, news, rows),
        news.speech_ms[rows] >= OPTIONS.min_speech_ms,
        OPTIONS,
    )
    of_local = np.full(len(news), -1)
    of_local[rows] = addition.group
    old = [int(addition.became[group[who]]) if who >= 0 else -1 for who in speakers]
    return old + of_local[news.of_label].tolist(), addition


@given(seed=st.integers(0, 10_000))
def test_adding_finds_whom_linking_everything_finds(seed):
    rows, people = archive(seed, n_recordings=14, n_people=8)
    names = [f"r{number}" for number in range(12)]
    before, more = ([one for one in rows if (one[0] in names) == known] for known in (True, False))
    order = [at for known in (True, False) for at, one in enumerate(rows) if (one[0] in names) == known]
    found, addition = added(before, more)
    whole = linked(rows)[2]
    assert agreement(found, [whole[at] for at in order]) >= 0.995
    assert agreement(found, [people[at] for at in order]) >= 0.995
    confidence = addition.certainty.confidence
    assert (np.isnan(confidence) | ((confidence >= 0) & (confidence <= 1))).all()


def test_known_people_stay_who_they_are():
    before = [row(f"r{number}", "A", heard(number % 3, room=number)) for number in range(9)]
    found, addition = added(before, [row("z", "A", heard(1, room=90)), row("z", "B", heard(7, room=90))])
    assert partition(found, range(11)) == {
        frozenset({0, 3, 6}),
        frozenset({1, 4, 7, 9}),
        frozenset({2, 5, 8}),
        frozenset({10}),
    }
    assert addition.became.tolist() == [0, 1, 2]
    assert addition.rows.tolist() == [0, 1, 2, found[-1]]


def test_two_known_people_become_one_through_somebody_between_them():
    one, other = heard(1, noise=0.0, room_size=0.0), heard(2, noise=0.0, room_size=0.0)

    def mixed(share, take):
        vector = share * one + (1 - share) * other + 0.1 * heard(50, take=take)
        return vector / np.linalg.norm(vector)

    before = [row("a0", "A", mixed(0.78, 1)), row("a1", "A", mixed(0.22, 2))]
    before += [row(f"b{number}", "A", heard(3 + number % 4, room=number)) for number in range(8)]
    assert len(set(linked(before)[2])) == 6
    found, addition = added(before, [row(f"z{take}", "A", mixed(0.5, 10 + take)) for take in range(3)])
    assert len({found[0], found[1], *found[-3:]}) == 1
    assert sorted(np.bincount(addition.became)[addition.became]) == [1, 1, 1, 1, 2, 2]
    assert len(addition.rows) == len(addition.groups.precision) == 5


def test_new_people_are_found_among_each_other():
    before = [row(f"r{number}", "A", heard(number % 3, room=number)) for number in range(6)]
    more = [row(f"z{number}", "A", heard(7 + number % 2, room=70 + number)) for number in range(4)]
    found, _ = added(before, more)
    assert found[6] == found[8]
    assert found[7] == found[9]
    assert len(set(found)) == 5


def test_little_speech_founds_nobody_but_joins():
    before = [row(f"r{number}", "A", heard(number % 3, room=number)) for number in range(6)]
    more = [row("z", "A", heard(0, room=71), ms=900), row("z", "B", heard(9, room=71), ms=900)]
    found, addition = added(before, more)
    assert found[-2:] == [found[0], -1]
    assert addition.is_seed.tolist() == [False, False]
    assert len(addition.rows) == 3


def test_two_who_are_heard_together_are_not_one_known_person():
    before = [row(f"r{number}", "A", heard(number % 3, room=number)) for number in range(6)]
    found, _ = added(before, [row("z", label, heard(0, room=71, take=at, noise=1.3)) for at, label in enumerate("AB")])
    assert found[-1] != found[-2]


def test_nothing_new_changes_nothing():
    before = [row(f"r{number}", "A", heard(number % 3, room=number)) for number in range(6)]
    local, links, _ = linked(before)
    known = links.found.clusters.groups.kept(links.found.clusters.alive())
    nobody = voices_in(links.found.space, local, np.empty(0, np.int64))
    addition = add_voices(known, links.found.space, nobody, np.empty(0, bool), OPTIONS)
    assert addition.became.tolist() == [0, 1, 2]
    assert len(addition.rivals.group) == 0
    assert addition.groups.sums == pytest.approx(known.sums)


def test_nobody_known_makes_everybody_new():
    rows, people = archive(5)
    space = linked(rows)[1].found.space
    news = name_local_speakers(columns(rows), COMMON_PRIOR)
    known = link_speakers(news, COMMON_PRIOR).found.clusters.groups.kept(np.empty(0, np.int64))
    everybody = np.arange(len(news))
    addition = add_voices(known, space, voices_in(space, news, everybody), np.ones(len(news), bool), OPTIONS)
    found = addition.group[news.of_label].tolist()
    assert partition(found, range(len(rows))) == partition(people, range(len(rows)))
