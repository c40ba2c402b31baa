"""Mirrors: web servers on this machine."""

import threading
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


def good_answer(_, body):
    return 200, {"Content-Length": str(len(body))}, body


class Mirror(ThreadingHTTPServer):
    """Serves files, by name; `asked` has the method and the name of each request.

    An answer is a status, headers and a body. A body that is a function writes to the handler.
    """

    def __init__(self, files, answer):
        self.asked, self.closing = [], threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.asked.append((self.command, self.path[1:]))
                status, headers, body = answer(self.command, files[self.path[1:]])
                with suppress(OSError):
                    self.send_response(status)
                    for header in headers.items():
                        self.send_header(*header)
                    self.end_headers()
                    if self.command == "GET":
                        body(self) if callable(body) else self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 (http.server's name)

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def downloads(self):
        return sorted(name for command, name in self.asked if command == "GET")

    def server_close(self):
        self.closing.set()
        self.shutdown()
        super().server_close()


@pytest.fixture
def mirror(mirrored_files, monkeypatch):
    """Function that starts a mirror."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ExitStack() as stack:
        yield lambda answer=good_answer, files=mirrored_files: stack.enter_context(
            Mirror(files, answer)
        )
