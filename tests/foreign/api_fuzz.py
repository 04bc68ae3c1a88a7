"""Hooks of schemathesis: requests signed with an API key, by the very client that docs/clients offers.

`coordinator/tests/schemathesis.rs` runs schemathesis with AIRLOCK_KEY, AIRLOCK_SECRET and AIRLOCK_TIMESTAMP (the server's clock
stands still there), or without them for somebody who logged in and has a bearer token.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import schemathesis
from requests.auth import AuthBase

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "clients"))
from airlock import authorization  # noqa: E402


class Signed(AuthBase):
    """Signs each request after it has been written out, so that what is signed is what is sent."""

    def __call__(self, request):
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = b"".join(body)
            request.body = body
        parts = urlsplit(request.url)
        target = parts.path + ("?" + parts.query if parts.query else "")
        once = request.headers.get("idempotency-key", "")
        if isinstance(once, bytes):
            once = once.decode("latin-1")
        request.headers["Authorization"] = authorization(
            os.environ["AIRLOCK_KEY"], os.environ["AIRLOCK_SECRET"], request.method, target, body, once,
            timestamp=os.environ["AIRLOCK_TIMESTAMP"])
        return request


if "AIRLOCK_KEY" in os.environ:
    schemathesis.auth.set_from_requests(Signed())


def whole(value):
    """JSON tells no 1.0 from 1, and schemathesis uses that; we read whole numbers as whole numbers are written."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value


@schemathesis.hook
def map_body(_context, body):
    return whole(body)
