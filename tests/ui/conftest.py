"""A server with its UI, every deployment run once by a process worker, and a browser that sees only this server."""

import os
import shutil
from types import SimpleNamespace

import pytest

from tests.archives import write_archive
from tests.browsers import find_browser, open_browser
from tests.prefect_servers import Site, prefect_server

_PATIENCE_MS = 30_000


@pytest.fixture(scope="session")
def browser_program():
    """Return a Chromium; a machine for continuous integration must have one."""
    program = find_browser()
    if program is None:
        reason = "needs Chromium or Chrome, and none is installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="module")
def ran(browser_program, tmp_path_factory):
    """Return the server's address and the runs of the four deployments, as the pool ran them."""
    home = tmp_path_factory.mktemp("ui")
    write_archive(home / "archive", n_recordings=4)
    # one thread and fake engines; shards so small that there are several
    fake = {"VOXLAKE_PROFILE": "fake", "VOXLAKE_SHARD_MINUTES": "0.4"}
    with prefect_server(home / "server", ui=True) as url, Site(url, home, **fake) as site:
        site.deploy()
        site.start_worker("voxlake")

        def run(deployment, **parameters):
            return site.wait_for_run(site.start_run(deployment, parameters).id)

        nightly = run("transcribe_archive/nightly", profile="fake", workers=1)
        link = run("link_speakers/link")
        publish = run("publish_lake/publish")
        write_references(home)
        evaluate = run("evaluate_lake/evaluate")
        yield SimpleNamespace(url=url, home=home, nightly=nightly, link=link, publish=publish, evaluate=evaluate)


def write_references(home):
    """Take what the lake says for the truth."""
    from flows.cli import app

    app(["export", str(home / "lake"), str(home / "exported"), "--format", "rttm"])
    shutil.move(home / "exported", home / "references")


@pytest.fixture(scope="module")
def ui(browser_program, ran):
    """Return what opens a page of the UI and returns it when a text is there.

    It ends with its module: while the driver is open its event loop counts as running in this thread, and a flow
    called by a later test of the same process would take itself for called from a coroutine.
    """
    from playwright.sync_api import expect

    expect.set_options(timeout=_PATIENCE_MS)
    with open_browser(browser_program, ran.url) as page:

        def open_page(path, text):
            page.goto(ran.url.removesuffix("/api") + path, wait_until="domcontentloaded")
            expect(page.get_by_text(text).first).to_be_visible()
            return page

        yield open_page
