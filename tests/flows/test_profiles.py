"""Whole runs with the profiles of real archives, through Prefect, from weights fetched of a hub on this machine.

The weights are small models of the true architectures, served under the names of the large ones, so that everything but
their size is as it will be: fetching, the gate, the folder for machines without internet, loading, the lake.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fake_hub import TOKEN, fake_hub, folder_contents
from tests.lakes import query
from tests.true_speech import ARCHIVE, archive, word_errors

MODELS = Path(__file__).parents[1] / "models"
PROFILES = ("whisper", "nemo", "pyannote")
SHORT_PIECES = ("--set", "transcriber.options.piece_ms=10000", "--set", "transcriber.options.join_ms=300")
"""For the small Whisper, which loses its place in half a minute of dense speech."""


def small_models():
    """Return what the hub has, by the names that the profiles ask for."""
    files = {
        "nvidia/parakeet-tdt-0.6b-v3": "parakeet_tdt.nemo",
        "nvidia/diar_streaming_sortformer_4spk-v2": "sortformer.nemo",
        "nvidia/speakerverification_en_titanet_large": "titanet.nemo",
    }
    folders = {
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo": "whisper",
        "pyannote/speaker-diarization-community-1": "pyannote",
    }
    nemo = {repo: {f"{repo.split('/')[1]}.nemo": (MODELS / name).read_bytes()} for repo, name in files.items()}
    return nemo | {repo: folder_contents(MODELS / name) for repo, name in folders.items()}


def voxlake(*arguments, **variables):
    """Run the command, fail with what it said unless it ended well, and return its output."""
    command = [str(Path(sys.executable).with_name("voxlake")), *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VOXLAKE_")}
    answer = subprocess.run(command, env=environment | variables, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a folder with the weights of all profiles, as `voxlake engines fetch` left it."""
    folder = tmp_path_factory.mktemp("weights")
    home = str(tmp_path_factory.mktemp("hub"))
    with fake_hub(small_models(), gated=("pyannote",)) as address:
        for profile in PROFILES:
            hub = {"HF_ENDPOINT": address, "HF_HOME": home, "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN}
            fetched = json.loads(voxlake("engines", "fetch", profile, folder, **hub))
            assert all(row["n_files"] and Path(row["path"]).is_relative_to(folder) for row in fetched)
    return folder


@pytest.fixture(scope="module", params=PROFILES)
def lake(request, weights, server, tmp_path_factory):
    """Return a lake that the profile filled, without the hub and through Prefect."""
    folder = tmp_path_factory.mktemp(request.param) / "lake"
    where = {"VOXLAKE_WEIGHTS": str(weights), "PREFECT_API_URL": server}
    pieces = SHORT_PIECES if request.param != "nemo" else ()
    said = voxlake("run", ARCHIVE, folder, "--profile", request.param, "--workers", "1", *pieces, "--json", **where)
    assert json.loads(said)["failed"] == []
    return folder


def words_of(lake, source):
    return query(
        lake, f"SELECT text, start_ms, end_ms, speaker_id FROM words WHERE source = '{source}' ORDER BY word_index"
    )


def test_what_was_said_is_written(lake):
    said = {source: [word.text for word in talk.words] for source, talk in archive().items()}
    heard = {source: [text.lower().strip(".,?!") for text, *_ in words_of(lake, source)] for source in said}
    errors = sum(word_errors(heard[source], said[source]) for source in said)
    assert errors / sum(map(len, said.values())) <= 0.10, heard


def speakers_of_voices(lake):
    """Return, by voice, how much of its time each speaker was given, over the whole archive."""
    given = {}
    for source, talk in archive().items():
        for _, start_ms, end_ms, speaker in words_of(lake, source):
            middle = (start_ms + end_ms) // 2
            for turn in talk.turns:
                if turn.start_ms <= middle < turn.end_ms:
                    given.setdefault(turn.speaker, Counter())[speaker] += end_ms - start_ms
    return given


def test_every_voice_is_one_speaker_in_all_its_recordings(lake):
    given = speakers_of_voices(lake)
    assert len(given) == 4
    ruling = {voice: counts.most_common(1)[0] for voice, counts in given.items()}
    assert len({speaker for speaker, _ in ruling.values()} - {None}) == 4, given
    right_ms, all_ms = sum(ms for _, ms in ruling.values()), sum(counts.total() for counts in given.values())
    assert right_ms / all_ms >= 0.85, given


def test_words_are_where_they_were_said(lake):
    late = []
    for source, talk in archive().items():
        truth = [(word.text, word.start_ms) for word in talk.words]
        for text, start_ms, *_ in words_of(lake, source):
            near = [abs(start_ms - at) for name, at in truth if name == text.lower().strip(".,?!")]
            late.append(min(near, default=10_000))
    assert sorted(late)[len(late) // 2] <= 200


def test_nothing_is_left_out(lake):
    ((n_failures,),) = query(lake, "SELECT count(*) FROM failures")
    assert n_failures == 0
    covered = query(lake, "SELECT recording_id, sum(end_ms - start_ms) FROM coverage GROUP BY 1")
    durations = query(lake, "SELECT recording_id, duration_ms FROM recordings")
    assert sorted(covered) == sorted(durations)


def test_a_second_run_has_nothing_to_do(lake, weights):
    ((profile,),) = query(lake, "SELECT DISTINCT profile FROM runs")
    pieces = SHORT_PIECES if profile != "nemo" else ()
    planned = voxlake("plan", ARCHIVE, lake, "--profile", profile, *pieces, "--json", VOXLAKE_WEIGHTS=str(weights))
    said = json.loads(planned)
    assert said["nothing to do"]
