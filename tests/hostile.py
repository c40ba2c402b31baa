"""What mirrors do that are broken or mean ill, as answers of the fixture `mirror`."""

import functools
import gzip
import socket
import struct
import zlib

from mnist_kedro.formats.idx import idx_header

HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"
GZIP = {"Content-Encoding": "gzip"}
IMAGES = idx_header((30, 28, 28))
MEGABYTE = bytes(2**20)


def only_get(answer):
    """Announce each file, and answer so when it is wanted."""
    return lambda command, body: answer(command, body) if command == "GET" else (200, {}, b"")


def other_bytes(_, body):
    raw = gzip.decompress(body)
    return 200, {}, gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1]), mtime=0)


def endless(beginning, more):
    """Write `more` again and again."""

    def write(handler):
        handler.wfile.write(beginning)
        while not handler.server.closing.is_set():
            handler.wfile.write(more)
            handler.server.sent += len(more)

    return write


def dripping(beginning=b"", drop=b"H"):
    """Write a byte now and then, for ever."""

    def write(handler):
        handler.wfile.write(beginning)
        while not handler.server.closing.wait(0.02):
            handler.wfile.write(drop)

    return write


def silent(beginning=b""):
    def write(handler):
        handler.wfile.write(beginning)
        handler.server.closing.wait()

    return write


def reset(handler):
    handler.wfile.write(b"\x1f\x8b")
    at_once = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    handler.connection.close()


@functools.cache
def bomb(header):
    """Return gzip bytes that unpack to a header and a thousand times their length in zeros."""
    packer = zlib.compressobj(wbits=31)
    zeros = (packer.compress(MEGABYTE) for _ in range(32))
    return b"".join([packer.compress(header), *zeros, packer.flush()])


def empty_blocks(beginning=IMAGES):
    """Write gzip that goes on for ever, and unpacks to no more than a header."""
    packer = zlib.compressobj(wbits=31)
    start = packer.compress(beginning) + packer.flush(zlib.Z_SYNC_FLUSH)
    return endless(start, b"\x00\x00\x00\xff\xff" * 1000)


BAD = {
    "forbidden": lambda *_: (403, {}, HTML),
    "missing": lambda *_: (404, {}, HTML),
    "unavailable": lambda *_: (503, {}, b""),
    "missing, yet announced": only_get(lambda *_: (404, {}, HTML)),
    "server error": only_get(lambda *_: (500, {}, b"")),
    "part of it": lambda _, body: (206, {}, body),
    "web page": lambda *_: (200, {}, HTML),
    "web page, long": lambda *_: (200, {}, HTML * 1000),
    "nothing": lambda *_: (200, {}, b""),
    "torn": lambda _, body: (200, {"Content-Length": str(len(body))}, body[:-9]),
    "torn, length unknown": lambda _, body: (200, {}, body[:-9]),
    "torn, in chunks": lambda *_: (200, {"Transfer-Encoding": "chunked"}, b"9\r\n\x1f\x8b"),
    "no chunks, yet announced": lambda *_: (200, {"Transfer-Encoding": "chunked"}, HTML),
    "other bytes": other_bytes,
    "length that is no number": lambda _, body: (200, {"Content-Length": "many"}, body[:-9]),
    "two lengths": lambda _, body: (200, {"Content-Length": "3, 4"}, body),
    "not gzip, yet announced": lambda *_: (200, GZIP, HTML),
    "not HTTP": only_get(lambda *_: (None, {}, HTML)),
    "headers without end": only_get(
        lambda *_: (None, {}, endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"))
    ),
    "reset": only_get(lambda *_: (200, {"Content-Length": "99"}, reset)),
    "web page without end": only_get(lambda *_: (200, {}, endless(HTML, HTML))),
    "images without end": only_get(lambda *_: (200, {}, endless(IMAGES, MEGABYTE))),
    "gzip without end": only_get(lambda _, body: (200, {}, endless(body, MEGABYTE))),
    "gzip of nothing without end": only_get(lambda *_: (200, {}, empty_blocks())),
    "name in gzip without end": only_get(
        lambda *_: (200, {}, endless(b"\x1f\x8b\x08\x08" + bytes(6), b"name" * 1000))
    ),
    "bomb": lambda *_: (200, {}, bomb(IMAGES)),
    "bomb that claims its size": lambda *_: (200, {}, bomb(idx_header((2**32 - 1, 28, 28)))),
    "bomb as an encoding": lambda *_: (200, GZIP, bomb(b"")),
    "redirect to itself": lambda *_: (302, {"Location": "#again"}, HTML),
    "redirect to itself, without end": only_get(
        lambda *_: (302, {"Location": "#again"}, endless(HTML, MEGABYTE))
    ),
    "redirect to nowhere": only_get(lambda *_: (302, {"Location": "http://[::1"}, HTML)),
    "redirect to no text": only_get(lambda *_: (302, {"Location": "/\xff"}, HTML)),
    "redirect to a host of two words": only_get(
        lambda *_: (302, {"Location": "http://some where/"}, HTML)
    ),
    "redirect to a file": only_get(lambda *_: (302, {"Location": "file:///etc/passwd"}, HTML)),
}
SLOW = {
    "silent": only_get(lambda *_: (None, {}, silent())),
    "silent after the headers": only_get(lambda *_: (200, {}, silent())),
    "silent half-way": only_get(lambda _, body: (200, {}, silent(body[:-9]))),
    "dripping": only_get(lambda *_: (200, {}, dripping())),
    "dripping into one chunk": only_get(
        lambda *_: (200, {"Transfer-Encoding": "chunked"}, dripping(b"fffff\r\n"))
    ),
    "dripping into a chunk's size": only_get(
        lambda *_: (200, {"Transfer-Encoding": "chunked"}, dripping(drop=b"0"))
    ),
    "dripping into the headers": only_get(lambda *_: (None, {}, dripping(b"HTTP/1.1 200 OK\r\n"))),
    "announcing for ever": only_get(
        lambda *_: (None, {}, dripping(drop=b"HTTP/1.1 100 Continue\r\n\r\n"))
    ),
}
