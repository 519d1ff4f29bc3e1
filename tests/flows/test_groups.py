"""Where tests run side by side, those that share a server are in one process, or each process would start its own."""

import os

import pytest


def test_who_asks_for_the_server_is_in_its_group(server, request):
    if "PYTEST_XDIST_WORKER" not in os.environ or not request.config.getvalue("loadgroup"):
        pytest.skip("tests do not run side by side, by groups")
    assert request.node.nodeid.endswith("@server")
