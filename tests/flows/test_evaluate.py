"""The flow that evaluates a lake: figures as artifacts, and a failed run where a limit is not kept."""

import pytest

from flows.local import run_local
from storage.errors import LimitsBroken
from tasks.reading.export import export_lake
from tests.archives import fake_spec, write_archive
from tests.flow_runs import artifacts


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluated")
    run_local(fake_spec(write_archive(root / "archive", n_recordings=2), root / "lake", workers=1))
    return root / "lake"


def test_a_run_fails_where_a_limit_is_not_kept_and_shows_by_how_much(lake, tmp_path, with_server):
    from flows.evaluate import evaluate_lake
    from tasks.evaluation.gate import Limits

    references = tmp_path / "references"
    export_lake(str(lake), str(references), "stm")
    good = evaluate_lake(str(lake), str(references), limits={"max_wer": 0.0}, return_state=True)
    assert (good.result().n_recordings, good.result().n_missing, good.result().broken) == (2, 0, ())
    shown = artifacts(good.state_details.flow_run_id)
    assert set(shown) == {"lake-evaluation", "lake-evaluation-recordings"}
    assert "| cpWER | 0.0 % |" in shown["lake-evaluation"].data
    assert "talk 1.wav" in shown["lake-evaluation-recordings"].data

    (changed,) = references.rglob("talk 1.wav.stm")
    changed.write_text(changed.read_text().replace(" v", " w", 3))
    bad = evaluate_lake(str(lake), str(references), limits=Limits(max_wer=0.0), return_state=True)
    assert bad.is_failed()
    error = bad.result(raise_on_failure=False)
    assert isinstance(error, LimitsBroken)
    assert "above the limit of 0" in str(error)
    assert "Limits that are not kept" in artifacts(bad.state_details.flow_run_id)["lake-evaluation"].data
