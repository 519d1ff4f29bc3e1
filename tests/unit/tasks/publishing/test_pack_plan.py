"""What is packed: few packs, each part once, each row copied few times as a lake grows."""

from hypothesis import given
from hypothesis import strategies as st

from storage.lake_records import Part
from storage.packs import PACK_RULES, Pack, PackedPart, new_pack_id, serve
from tasks.publishing.pack_plan import LARGEST_BYTES, plan_packs

MB = 1 << 20


def part(name, version):
    return Part(part_id=name, digest=f"{name}.{version}", files={})


def packed(group, n_bytes):
    return Pack(
        pack_id=new_pack_id(group),
        rules=PACK_RULES,
        parts={
            one.part_id: PackedPart(digest=one.digest, n_bytes=n_bytes[one.part_id], n_utterances=2, n_words=5)
            for one in group
        },
        files={},
    )


versions = st.dictionaries(st.integers(0, 30).map(lambda index: f"p{index:02}"), st.integers(0, 2), max_size=30)
sizes = st.integers(1, 300).map(lambda megabytes: megabytes * MB)


@st.composite
def lakes(draw):
    """Return parts as they are published, their sizes, and packs of these and of other times."""
    parts = [part(name, version) for name, version in sorted(draw(versions).items())]
    n_bytes = {f"p{index:02}": draw(sizes) for index in range(31)}
    times = draw(st.lists(versions.filter(bool), max_size=4))
    packs = [packed([part(*one) for one in sorted(time.items())], n_bytes) for time in times]
    return parts, n_bytes, [*{pack.pack_id: pack for pack in packs}.values()]


@given(lakes())
def test_each_part_is_read_once_as_it_is_published(lake):
    parts, _, packs = lake
    serving = serve(parts, packs)
    digests = {one.part_id: one.digest for one in parts}
    read = [part_id for one in serving.packs for part_id in one.part_ids] + [one.part_id for one in serving.loose]
    assert sorted(read) == sorted(digests)
    for one in serving.packs:
        assert one.part_ids
        assert all(one.pack.parts[part_id].digest == digests[part_id] for part_id in one.part_ids)
        assert set(one.masked) == one.pack.parts.keys() - one.part_ids
        assert 0 <= one.stale_share < 1
    assert serve(parts, reversed(packs)) == serving


@given(lakes())
def test_what_is_planned_is_whole_and_is_all_there_is_to_do(lake):
    parts, n_bytes, packs = lake
    groups = plan_packs(parts, n_bytes, packs)
    planned = [one for group in groups for one in group]
    assert len({one.part_id for one in planned}) == len(planned)
    assert set(planned_keys(planned)) <= set(planned_keys(parts))
    for group in groups:
        assert sum(n_bytes[one.part_id] for one in group) <= LARGEST_BYTES or len(group) == 1
    after = [*packs, *(packed(group, n_bytes) for group in groups)]
    assert plan_packs(parts, n_bytes, after) == []
    if groups:
        assert serve(parts, after).loose == ()


def planned_keys(parts):
    return [(one.part_id, one.digest) for one in parts]


def test_a_few_parts_are_left_as_they_are():
    parts = [part(f"p{index}", 0) for index in range(7)]
    assert plan_packs(parts, dict.fromkeys([one.part_id for one in parts], MB), []) == []


def test_a_pack_that_is_stale_is_written_again_and_one_that_hardly_is_stays():
    old = [part(f"p{index}", 0) for index in range(20)]
    n_bytes = dict.fromkeys([one.part_id for one in old], MB)
    pack = packed(old, n_bytes)
    hardly = [part(f"p{index}", 1) for index in range(4)] + old[4:]
    mostly = [part(f"p{index}", 1) for index in range(5)] + old[5:]
    assert plan_packs(hardly, n_bytes, [pack]) == []
    assert plan_packs(mostly, n_bytes, [pack]) == [tuple(mostly)]


@given(st.integers(1, 40), st.integers(1, 30))
def test_a_lake_that_grows_has_few_packs_and_copies_rows_few_times(n_nights, parts_a_night):
    parts, packs, n_bytes, copied = [], [], {}, 0
    for night in range(n_nights):
        parts += [part(f"{night:03}-{index:02}", 0) for index in range(parts_a_night)]
        n_bytes |= {one.part_id: MB for one in parts}
        for group in plan_packs(parts, n_bytes, packs):
            packs.append(packed(group, n_bytes))
            copied += len(group)
        used = [one.pack for one in serve(parts, packs).packs]
        packs = [pack for pack in packs if pack in used]
    assert len(packs) <= 6
    assert copied <= 10 * len(parts)


def test_full_packs_stay():
    full = [part(f"p{index}", 0) for index in range(4)]
    news = [part(f"q{index}", 0) for index in range(9)]
    n_bytes = {one.part_id: LARGEST_BYTES // 4 for one in full} | {one.part_id: MB for one in news}
    assert plan_packs([*full, *news], n_bytes, [packed(full, n_bytes)]) == [tuple(news)]
