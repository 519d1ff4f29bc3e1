"""A model hub on this machine, so that fetching can be tested without the internet: it speaks what the client asks."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

Repositories = Mapping[str, Mapping[str, bytes]]
"""Contents by file name by repository."""

TOKEN = "hf_right"
"""What opens repositories behind a gate."""


def commit_of(files: Mapping[str, bytes]) -> str:
    """Return the commit of a repository: 40 hex digits that follow its contents."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


@contextmanager
def fake_hub(repositories: Repositories, gated: tuple[str, ...] = ()) -> Iterator[str]:
    """Serve the repositories, those of gated owners only with the token; yield the address for ``HF_ENDPOINT``."""

    handler = type("Handler", (_Handler,), {"repositories": repositories, "gated": gated})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repositories: Repositories
    gated: tuple[str, ...]

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def log_message(self, *_):
        pass

    def _answer(self, *, with_body):
        path = urlsplit(self.path).path.strip("/")
        is_question = path.startswith("api/models/")
        path = path.removeprefix("api/models/")
        repo = "/".join(path.split("/")[:2])
        files = self.repositories.get(repo)
        if files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body=with_body)
        elif repo.split("/")[0] in self.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(403, b"{}", {"X-Error-Code": "GatedRepo"}, with_body=with_body)
        elif is_question:
            answer = json.dumps(_tree(files) if "/tree/" in path else _info(repo, files)).encode()
            self._send(200, answer, {"Content-Type": "application/json"}, with_body=with_body)
        else:
            self._send_file(files, path.split("/", 4)[4], with_body=with_body)

    def _send_file(self, files, name, *, with_body):
        if name not in files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body=with_body)
            return
        etag = hashlib.sha256(files[name]).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit_of(files)}
        self._send(200, files[name], headers, with_body=with_body)

    def _send(self, status, body, headers, *, with_body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def folder_contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _info(repo, files):
    siblings = [{"rfilename": name} for name in sorted(files)]
    return {"id": repo, "modelId": repo, "sha": commit_of(files), "siblings": siblings, "private": False, "tags": []}


def _tree(files):
    return [
        {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
