"""A browser that looks at the UI of a Prefect server, and where its pages are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def artifact_path(url: str, key: str) -> str:
    """Return where the UI shows the latest artifact of that key."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with SyncPrefectClient(url) as client:
        latest, *_ = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC)
    return f"/artifacts/artifact/{latest.id}"


def find_browser() -> str | None:
    """Return the program of a Chromium that is installed here."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


@contextmanager
def open_browser(program: str, url: str, *, width: int = 1280, height: int = 800) -> Iterator[Any]:
    """Open a page of a headless Chromium that reaches the server of that API and no other host."""
    from playwright.sync_api import Route, sync_playwright

    origin = url.removesuffix("/api")

    def stay_here(route: Route) -> None:
        if route.request.url.startswith((origin, "data:", "blob:")):
            route.continue_()
        else:
            route.abort()

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.route("**/*", stay_here)
        page.set_default_timeout(60_000)
        try:
            yield page
        finally:
            browser.close()
