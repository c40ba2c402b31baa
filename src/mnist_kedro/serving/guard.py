"""What every request passes: whom it addresses, how many are under way, safe headers, the log."""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOCS = "/docs"
REQUESTS = 64  # under way at once
POLICY = (
    "default-src 'none'; script-src 'self'{docs}; style-src 'self'{docs}; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", POLICY.format(docs="").encode()),
]
# Swagger UI has a script and styles of its own in the page.
DOCS_HEADERS = [*HEADERS[:-1], (HEADERS[-1][0], POLICY.format(docs=" 'unsafe-inline'").encode())]

log = logging.getLogger("mnist_kedro.serving.requests")


class Guard:
    """Wraps an application.

    Args:
        app: The application.
        hosts: Names by which the server may be addressed, without port: another site's name could
            be made to point here, for its pages to read what is answered. `None` takes any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self.app = app
        self.hosts = hosts
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Nobody needs a part of a file, and Starlette refuses odd ones in plain text.
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"range"]
        start = time.perf_counter()
        answer = {"status": 0, "bytes": 0}

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                headers = DOCS_HEADERS if scope["path"] == DOCS else HEADERS
                message["headers"] = [*message["headers"], *headers]
            else:
                answer["bytes"] += len(message.get("body", b""))
            await send(message)

        self.under_way += 1
        try:
            refusal = self._refusal(scope)
            await (refusal or self.app)(scope, receive, watched_send)
        finally:
            self.under_way -= 1
            milliseconds = 1000 * (time.perf_counter() - start)
            log.info("%s", json.dumps(_line(scope, answer, milliseconds)))

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Return the answer to a request that the application is not to see."""
        host = re.sub(r":\d*$", "", Headers(scope=scope).get("host", "")).lower()
        if self.hosts is not None and host not in self.hosts:
            sentence = "expected a Host header that names this server, found another"
            return JSONResponse({"error": sentence}, HTTPStatus.BAD_REQUEST)
        if self.under_way > REQUESTS:
            sentence = f"expected at most {REQUESTS} requests at once, found more: come again soon"
            return JSONResponse({"error": sentence}, HTTPStatus.SERVICE_UNAVAILABLE)
        return None


def _line(scope: Scope, answer: dict[str, int], milliseconds: float) -> dict[str, object]:
    """Return what is logged of a request: nothing that its sender has written."""
    route = scope.get("route")  # no path of our own, no path in the log
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": scope["method"],
        "path": getattr(route, "path", None),
        **answer,
        "ms": round(milliseconds, 2),
        "predictions": scope["state"].get("predictions", 0),
    }
