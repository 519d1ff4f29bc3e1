"""Make the pictures of docs/monitoring.md: the samples, run by a worker, seen in Prefect's UI by a headless Chromium.

Nothing is measured. It takes some minutes, for the embedded engines do real work; one picture is taken on the way.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.sounds import SAMPLES
from tests.browsers import artifact_path, find_browser, open_browser
from tests.prefect_servers import ROOT, Site, prefect_server

_SMALL_SHARDS = {"VOXLAKE_SHARD_MINUTES": "2", "VOXLAKE_COMMIT_MINUTES": "1", "VOXLAKE_BATCH_MINUTES": "1"}
_DEPLOYMENT = "transcribe_archive/nightly"
_HALFWAY = 45.0
_SETTLED_MS = 2_500


class Pictures:
    """Opens pages of the UI and keeps what they look like."""

    def __init__(self, page: Any, url: str, folder: Path) -> None:
        """Take pictures of the UI of that API into a folder."""
        self._page, self._url, self._folder = page, url, folder

    def take(self, name: str, path: str, text: str, *, width: int = 1280, height: int = 800) -> None:
        """Keep the page at that path when it shows a text and has settled."""
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.goto(self._url.removesuffix("/api") + path, wait_until="domcontentloaded")
        self._page.get_by_text(text).first.wait_for()
        self._page.wait_for_timeout(_SETTLED_MS)
        self._page.screenshot(path=str(self._folder / f"{name}.png"))
        print(f"{name}.png")

    def take_progress(self) -> None:
        """Keep the page of a run that goes."""
        self.take("progress", artifact_path(self._url, "samples-run"), "of the audio is done", height=1150)

    def take_finished(self, flow_run_id: UUID, deployment_id: UUID) -> None:
        """Keep the pages of a run that is over, and the form to start another."""
        self.take("runs", "/runs", "samples → lake")
        self.take("flow-run", f"/runs/flow-run/{flow_run_id}", "recordings to do")
        self.take("summary", artifact_path(self._url, "samples-summary"), "What changed", width=1100, height=960)
        self.take("failures", artifact_path(self._url, "samples-failures"), "what to do")
        self.take("form", f"/deployments/deployment/{deployment_id}/run", "profile")


def main() -> None:
    """Run the samples and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    folder: Path = parser.parse_args().out
    program = find_browser()
    if program is None:
        sys.exit("needs Chromium or Chrome")
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        shutil.copytree(SAMPLES, home / "samples")
        with prefect_server(home / "server", ui=True) as url, Site(url, home, **_SMALL_SHARDS) as site:
            site.deploy()
            site.start_worker("voxlake")
            with open_browser(program, url) as page:
                pictures = Pictures(page, url, folder)
                wanted = {"archive": "samples", "lake": "lake", "profile": "embedded", "workers": 2}
                run = site.start_run(_DEPLOYMENT, wanted)
                wait_for_progress(url, "samples-progress", _HALFWAY)
                pictures.take_progress()
                site.wait_for_run(run.id, timeout_s=1800)
                pictures.take_finished(run.id, run.deployment_id)


def wait_for_progress(url: str, key: str, percent: float) -> None:
    """Return when an artifact of that key says that so much is done."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with SyncPrefectClient(url) as client:
        while not any(float(str(one.data)) >= percent for one in client.read_artifacts(artifact_filter=wanted)):
            time.sleep(1)


if __name__ == "__main__":
    main()
