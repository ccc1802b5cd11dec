"""Loaded by Schemathesis. It cannot generate text of the server's own formats, and reuses idempotency keys of deleted users."""

from uuid import uuid4

import schemathesis
from hypothesis import strategies

letters = strategies.text(alphabet="aZ-é日", max_size=99)
schemathesis.openapi.format("text", letters.map(lambda rest: "A" + rest))
schemathesis.openapi.format("multiline", letters.map(lambda rest: "A\n" + rest))
schemathesis.openapi.format("emoji", strategies.sampled_from(["👍", "❤️", "🏴‍☠️"]))


@schemathesis.hook
def before_call(context, case, kwargs):
    key = (case.headers or {}).get("idempotency-key", "")
    if key.isascii() and key.isalnum():
        case.headers["idempotency-key"] = str(uuid4())
