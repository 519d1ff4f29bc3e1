"""Files that some player would follow to other files and addresses, and an address that notices who calls."""

import socket
import struct
import threading
from contextlib import contextmanager

XML = '<?xml version="1.0"?>\n'


@contextmanager
def listening():
    """Yield the address of a server on this machine, and who has called on it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []
        server.settimeout(0.02)
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                calls.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        stop.set()
        thread.join()


def documents(target):
    """Text files that some player would follow to ``target``."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "hls with a key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n',
        "m3u": f"#EXTM3U\n#EXTINF:123,Somebody\n{target}\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\nduration 10\n",
        "concat without its first line": f"file '{target}'\n",
        "dash": f'{XML}<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{target}</BaseURL></MPD>\n',
        "sdp": f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nu={target}\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
        "asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>\n',
        "xspf": f"{XML}<playlist><trackList><track><location>{target}</location></track></trackList></playlist>",
        "smil": f'<smil><body><audio src="{target}"/></body></smil>',
        "quicktime reference": f"RTSPtext\n{target}\n",
        "asf reference": f"[Reference]\nRef1={target}\n",
        "address": f"{target}\n",
        "data address": "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEA\n",
    }


def atom(name, *parts):
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def quicktime_that_points_elsewhere(target, way):
    """Return a movie whose only track has its samples in another file, said in one of QuickTime's ways."""
    url = atom(b"url ", b"\0\0\0\0", target.encode() + b"\0")
    alias = struct.pack(">IHH", 0, 0, 2) + b"\0" * 142 + struct.pack(">HH", 2, len(target)) + target.encode()
    alias += b"\0" * (len(target) % 2) + struct.pack(">HH", 0xFFFF, 0)
    elsewhere = {"url": url, "alis": atom(b"alis", b"\0\0\0\0", alias)}[way]
    references = atom(b"dref", struct.pack(">II", 0, 1), elsewhere)
    sound = struct.pack(">IHHHHIHHHHI", 0, 0, 1, 0, 0, 0, 1, 16, 0, 0, 16_000 << 16)
    entry = atom(b"sowt", sound)
    table = atom(
        b"stbl",
        atom(b"stsd", struct.pack(">II", 0, 1), entry),
        atom(b"stts", struct.pack(">IIII", 0, 1, 16_000, 1)),
        atom(b"stsc", struct.pack(">IIIII", 0, 1, 1, 16_000, 1)),
        atom(b"stsz", struct.pack(">III", 0, 2, 16_000)),
        atom(b"stco", struct.pack(">III", 0, 1, 44)),
    )
    media = atom(
        b"mdia",
        atom(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 16_000, 16_000, 0, 0)),
        atom(b"hdlr", b"\0" * 4 + b"mhlrsoun" + b"\0" * 13),
        atom(b"minf", atom(b"smhd", b"\0" * 8), atom(b"dinf", references), table),
    )
    track = atom(b"trak", atom(b"tkhd", struct.pack(">IIIIII", 7, 0, 0, 1, 0, 1000) + b"\0" * 60), media)
    movie = atom(b"moov", atom(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 1000) + b"\0" * 80), track)
    return atom(b"ftyp", b"qt  \0\0\0\0qt  ") + movie + atom(b"mdat", b"\1\2" * 100)


SEGMENTS = (b"own segment uid.", b"other segment's.")
"""Names that Matroska's segments have for each other: 16 bytes."""


def element(name, *parts):
    """Return an element of EBML (RFC 8794) by its ID, with its size in eight bytes."""
    content = b"".join(parts)
    return bytes.fromhex(name) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def number(name, value):
    return element(name, value.to_bytes(8, "big"))


def matroska(samples, *, uid=SEGMENTS[0], linked=b"", chapters=b""):
    """Return a Matroska file (RFC 9559) of 16-bit samples at 16 kHz, an array, in clusters of a second."""
    head = element("1a45dfa3", element("4282", b"matroska"), number("4287", 4), number("4285", 2))
    info = element("1549a966", number("2ad7b1", 1_000_000), element("73a4", uid), linked)
    sound = element("e1", element("b5", struct.pack(">d", 16_000)), number("9f", 1), number("6264", 16))
    track = element("ae", number("d7", 1), number("73c5", 1), number("83", 2), element("86", b"A_PCM/INT/LIT"), sound)
    seconds = [samples[at : at + 16_000].astype("<i2").tobytes() for at in range(0, len(samples), 16_000)]
    clusters = [
        element("1f43b675", number("e7", 1_000 * at), element("a3", b"\x81\0\0\x80", data))
        for at, data in enumerate(seconds)
    ]
    return head + element("18538067", info, chapters, element("1654ae6b", track), *clusters)


def matroska_that_links_elsewhere(samples, target):
    """Return a Matroska file that goes on in another, by its name and UID, and whose chapters play from that one."""
    own, other = SEGMENTS
    names = element("3c83ab", target.encode()), element("3e83bb", target.encode())
    linked = b"".join((element("3cb923", other), element("3eb923", other), element("4444", other), *names))
    played = number("91", 0), number("92", 60_000_000_000), element("6e67", other), number("6ebc", 1)
    edition = element("45b9", number("45dd", 1), number("45db", 1), element("b6", number("73c4", 1), *played))
    return matroska(samples, uid=own, linked=linked, chapters=element("1043a770", edition))
