"""A recogniser that misses a region gets a second chance at it, and coverage tells what came of that."""

from tasks.audio.chunking import ChunkOptions
from tasks.planning.spec import EngineChoice
from tasks.reading.accounting import prove_coverage
from tasks.stages.second_try import SecondTryOptions
from tests.lakes import fake_spec, lake_rows, query, run_whole, write_wav
from tests.tones import spoken, tone_clip

DEAF = EngineChoice(name="fake", options={"deaf_after_ms": 8_000})
SOUNDS = [*spoken(500, 300, 8), *spoken(12_000, 900, 6), *spoken(27_000, 300, 6)]


def test_what_was_missed_is_found_flagged_and_counted_as_speech(tmp_path):
    write_wav(tmp_path / "archive" / "long.wav", tone_clip(30_000, SOUNDS))
    once, twice = tmp_path / "once", tmp_path / "twice"
    run_whole(fake_spec(tmp_path / "archive", once, transcriber=DEAF, second_try=SecondTryOptions(enabled=False)))
    run_whole(fake_spec(tmp_path / "archive", twice, transcriber=DEAF))
    sql = "SELECT 'second_try' IN flags, sum(n_words)::INT FROM transcripts GROUP BY 1 ORDER BY 1"
    assert query(once, sql) == [(False, 8)]
    assert query(twice, sql) == [(False, 8), (True, 12)]
    statuses = [{one.status: one.n_spans for one in prove_coverage(str(lake)).statuses} for lake in (once, twice)]
    assert [one.get("untranscribed", 0) for one in statuses] == [2, 0]


def test_a_second_try_finds_what_a_recogniser_that_misses_nothing_finds(tmp_path):
    write_wav(tmp_path / "archive" / "long.wav", tone_clip(30_000, SOUNDS))
    chunking = ChunkOptions(target_ms=14_000, max_ms=18_000, min_ms=4_000)
    for name, transcriber in (("deaf", DEAF), ("sound", EngineChoice(name="fake"))):
        run_whole(fake_spec(tmp_path / "archive", tmp_path / name, transcriber=transcriber, chunking=chunking))
    rows = [lake_rows(tmp_path / name, ["words", "coverage"]) for name in ("deaf", "sound")]
    assert rows[0] == rows[1]


def test_without_a_second_try_recipes_are_as_if_there_were_none(tmp_path):
    write_wav(tmp_path / "archive" / "long.wav", tone_clip(30_000, SOUNDS))
    recipes = []
    for options in (SecondTryOptions(), SecondTryOptions(min_ms=2_000), SecondTryOptions(enabled=False, min_ms=2_000)):
        plan = run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake", second_try=options)).plan
        recipes.append({one.stages for shard in plan.shards for one in shard.recordings})
    assert recipes[0] == {("probe", "transcribe", "diarize", "fingerprint")}
    assert recipes[1] == recipes[2] == {("transcribe",)}
    again = fake_spec(tmp_path / "archive", tmp_path / "lake", second_try=SecondTryOptions(enabled=False))
    assert run_whole(again).plan.shards == ()
