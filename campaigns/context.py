"""Facts about the request that is being answered. The guard sets them, and each request sees its own."""

from __future__ import annotations

from contextvars import ContextVar

THIS_MACHINE = "this machine"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Names the request in its answer, in log lines and in the request log; empty outside a request."""
caller: ContextVar[str] = ContextVar("caller", default=THIS_MACHINE)
"""The name of the key that the request came with; THIS_MACHINE without a key, and for the background job."""
signed_in: ContextVar[bool] = ContextVar("signed_in", default=False)
"""Whether the key came as the session of a browser, which a person can end."""
