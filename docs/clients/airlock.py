#!/usr/bin/env python3
"""Calls the Airlock API with an API key: Python 3.9 and its standard library, nothing else.

    from airlock import Airlock
    api = Airlock("https://airlock.example", "ak_...", open("secret").read().strip())
    api.call("GET", "/v1/balances", query={"user": "..."})
    api.call("POST", "/v1/transfers", body={"kind": "transfer", ...}, idempotency_key="order-1017")

`call` answers the decoded JSON, or raises Refused with code, message and request id. A call that got no answer, or one
that says that it is retryable, is made again with the same idempotency key and a new nonce: its effect happens once.

On the command line, with the same environment as airlock.sh (AIRLOCK_URL, AIRLOCK_KEY, AIRLOCK_SECRET_FILE):

    airlock.py GET '/v1/balances?user=ID'
    airlock.py POST /v1/transfers '{"kind":"transfer",...}' order-1017
"""

import hashlib
import hmac
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ATTEMPTS = 4


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signature is for one server: nobody else is shown it."""

    def redirect_request(self, *_):
        return None


class Refused(Exception):
    """The API said no."""

    def __init__(self, status, error):
        self.status = status
        self.code = error.get("code", "unknown")
        self.message = error.get("message", "")
        self.retryable = bool(error.get("retryable"))
        self.request_id = error.get("request_id", "")
        super().__init__(f"{status} {self.code}: {self.message} (request {self.request_id})")


def authorization(key, secret, method, target, body, idempotency_key="", timestamp=None, nonce=None):
    """The Authorization header of one request. `target` is path and query exactly as they are sent."""
    path, _, query = target.partition("?")
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    nonce = secrets.token_hex(16) if nonce is None else nonce
    lines = ["airlock-hmac-1", method, path, query, timestamp, nonce,
             hashlib.sha256(body).hexdigest(), idempotency_key]
    signature = hmac.new(bytes.fromhex(secret), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
    return f"Airlock-HMAC-SHA256 key={key}, timestamp={timestamp}, nonce={nonce}, signature={signature}"


class Airlock:
    """One API key at one coordinator."""

    def __init__(self, url, key, secret, timeout_s=60, opener=None):
        if len(secret) != 64 or any(c not in "0123456789abcdef" for c in secret):
            raise ValueError("a secret is 64 lower-case hex digits")
        self.url, self.key, self._secret, self.timeout_s = url.rstrip("/"), key, secret, timeout_s
        self.opener = opener or urllib.request.build_opener(NoRedirect)

    def call(self, method, path, query=None, body=None, idempotency_key=""):
        """Asks, a few times if it must, and answers the decoded body."""
        target = path if not query else path + "?" + urllib.parse.urlencode(query)
        raw = b"" if body is None else json.dumps(body).encode()
        # Without an idempotency key only a look may be repeated: another call could take effect twice.
        attempts = ATTEMPTS if method == "GET" or idempotency_key else 1
        for attempt in range(1, attempts + 1):
            try:
                return self.once(method, target, raw, idempotency_key)
            except Refused as refused:
                # A server that has just started takes nothing from before its start: sign it again.
                again = refused.retryable or refused.code == "stamped_before_start"
                if not again or attempt == attempts:
                    raise
            except OSError:
                if attempt == attempts:
                    raise
            time.sleep(2 ** (attempt - 1))

    def once(self, method, target, raw, idempotency_key=""):
        """Asks once; `raw` are the body's bytes."""
        request = urllib.request.Request(self.url + target, data=raw or None, method=method)
        signed = authorization(self.key, self._secret, method, target, raw, idempotency_key)
        request.add_header("Authorization", signed)
        if raw:
            request.add_header("Content-Type", "application/json")
        if idempotency_key:
            request.add_header("Idempotency-Key", idempotency_key)
        try:
            with self.opener.open(request, timeout=self.timeout_s) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as answer:
            try:
                error = json.loads(answer.read())["error"]
            except (ValueError, KeyError, TypeError):
                error = {}
            raise Refused(answer.code, error) from None


def main(arguments):
    if not 2 <= len(arguments) <= 4:
        print("airlock.py: METHOD PATH?QUERY [BODY|-] [IDEMPOTENCY-KEY]", file=sys.stderr)
        return 2
    method, target, text, idempotency_key = (arguments + ["", ""])[:4]
    with open(os.environ["AIRLOCK_SECRET_FILE"], encoding="ascii") as file:
        secret = file.read().strip()
    api = Airlock(os.environ["AIRLOCK_URL"], os.environ["AIRLOCK_KEY"], secret)
    raw = sys.stdin.buffer.read() if text == "-" else text.encode()
    try:
        print(json.dumps(api.once(method, target, raw, idempotency_key)))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
