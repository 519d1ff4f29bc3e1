"""A whole run over an archive of files and names that lead elsewhere: nothing outside of it is opened or called."""

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hostile import (
    SEGMENTS,
    documents,
    listening,
    matroska,
    matroska_that_links_elsewhere,
    quicktime_that_points_elsewhere,
)
from tests.lakes import conversation, query, write_wav

_RUN = "from flows.cli import main; main()"
_CANARY_HZ = 2700
_CANARY = b"canary-5f1c9e"
NAMES = (
    "concat:a.wav|b.wav", "file:secret.wav", "file:..:secret.wav", "pipe:0", "-", "data:audio;base64,UklGRg==",
    "subfile,,start,0,end,9,,:secret.wav", "crypto:secret.wav", "cache:secret.wav", "tee:a|b.wav", "%03d.wav", "*.wav",
    "?.wav", "[ab].wav", "line\nbreak.wav", "'; DROP TABLE words; --.wav", '"quoted".wav', "read_csv('secret.txt').wav",
    "http:/127.0.0.1:9/x.wav", "memory:/x.wav", "simplecache::file:/x.wav", "$(touch pwned).wav", "~root.wav", "\\.wav",
)  # fmt: skip


@contextmanager
def strange_files(folder):
    """Put a pipe, a socket, links of every kind and a device's link into a folder."""
    os.mkfifo(folder / "pipe.wav")
    (folder / "link.wav").symlink_to(folder.parent / "outside/secret.wav")
    (folder / "linked folder").symlink_to(folder.parent / "outside")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "self").symlink_to(".")
    (folder / "zero.wav").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(folder, os.O_RDONLY)  # names of sockets are short, those of temporary folders are not
        bound.bind(f"/proc/self/fd/{here}/socket.wav")
        os.close(here)
        yield


def write_hostile(folder, url, secret):
    """Write every document that leads to an address or to the secret, under names of sound."""
    for number, target in enumerate((f"{url}/x.ts", f"file://{secret}", str(secret), "../outside/secret.wav")):
        for kind, text in documents(target).items():
            (folder / f"{kind} {number}.mp3").write_text(text)
        for way in ("url", "alis"):
            (folder / f"movie {way} {number}.mov").write_bytes(quicktime_that_points_elsewhere(target, way))
        own = (conversation(900, n_words=4) * 32_767)[160 * number :]
        (folder / f"linked segment {number}.mkv").write_bytes(
            matroska_that_links_elsewhere(own, target.replace(".wav", ".mkv"))
        )
    (folder / "id3 link.mp3").write_bytes(
        b"ID3\3\0\0\0\0\1\0" + b"LINK\0\0\0\x30\0\0APIC" + url.encode() + b"\0WXXX\0\0\0\x30\0\0\0\0" + url.encode()
    )
    (folder / "sheet.bin").write_text(f'FILE "{secret}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n')
    (folder / "real.ram").write_text(f"{url}/x.rm\n")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace tells what libav itself opens")
def test_a_run_opens_nothing_but_its_archive_and_its_lake(tmp_path):
    archive, lake, log = tmp_path / "archive", tmp_path / "lake", tmp_path / "calls.txt"
    secret = write_wav(tmp_path / "outside/secret.wav", conversation(_CANARY_HZ, 300, n_words=4))
    secret.write_bytes(secret.read_bytes() + _CANARY)
    canary = conversation(_CANARY_HZ, n_words=4) * 32_767
    (tmp_path / "outside/secret.mkv").write_bytes(matroska(canary, uid=SEGMENTS[1]) + _CANARY)
    (tmp_path / "outside/secret.txt").write_bytes(_CANARY)
    for number, name in enumerate(NAMES):
        write_wav(archive / name, conversation(300, n_words=4)[160 * number :])
    with listening() as (url, calls), strange_files(archive):
        write_hostile(archive, url, secret)
        command = ["strace", "-f", "-qq", "-e", "trace=open,openat,connect,execve", "-s", "4096", "-o", str(log)]
        command += [sys.executable, "-c", _RUN, "run", str(archive), str(lake), "--local"]
        environment = {**os.environ, "VOXLAKE_PROFILE": "fake", "VOXLAKE_WORKERS": "1", "HOME": str(tmp_path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1, done.stderr
    assert calls == []
    traced = log.read_text()
    assert re.search(r'open(at)?\(.*archive/%03d\.wav"', traced), "the trace sees what is opened"
    assert not re.search(
        r'^.*open(?:at)?\([^"]*"[^"]*(?:outside|/dev/zero|pipe\.wav|socket\.wav)[^"]*".*$', traced, re.MULTILINE
    )
    assert not re.search(r"connect\(.*AF_INET", traced)
    assert not (tmp_path / "pwned").exists()
    assert not Path("pwned").exists()
    sources = {source for (source,) in query(lake, "SELECT source FROM recordings WHERE status = 'done'")}
    assert sources >= {*NAMES, *(f"linked segment {number}.mkv" for number in range(4))}
    assert query(lake, f"SELECT count(*) FROM words WHERE text LIKE 'v{_CANARY_HZ}%'") == [(0,)]
    assert not any(_CANARY in path.read_bytes() for path in lake.rglob("*") if path.is_file())
    refused = {source for (source,) in query(lake, "SELECT source FROM failures WHERE error = 'UnsafeMedia'")}
    assert refused >= {"link.wav", "linked folder", "pipe.wav", "socket.wav", "zero.wav", "hls 0.mp3", "sdp 1.mp3"}
