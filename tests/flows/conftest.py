"""One Prefect server for all flow tests: starting one takes longer than the tests."""

import pytest

from tests.prefect_servers import prefect_server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Start a real server and return its API's address."""
    with prefect_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def with_server(server, monkeypatch):
    """Have flows of this process report to the server."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    import flows  # noqa: F401 - before Prefect, which reads its variables when it is imported

    monkeypatch.setenv("PREFECT_API_URL", server)
    with temporary_settings({PREFECT_API_URL: server}):
        yield server
