"""The local runner: Ctrl-C stops a run even where a library swallows it."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from pipeline.runners import local as runners


def test_a_swallowed_ctrl_c_stops_the_run_before_the_next_component(monkeypatch):
    launched = []

    def launch(*_):
        for name in ("First", "Second"):
            yield name
            launched.append(name)
            with contextlib.suppress(KeyboardInterrupt):  # as a destructor or a bare except would
                os.kill(os.getpid(), signal.SIGINT)
            yield runners.Stage(name, 0.0, False)

    monkeypatch.setattr(runners, "_launch", launch)
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.default_int_handler)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(event if isinstance(event, str) else event.name for event in runners.run_locally(None, "run"))
    assert launched == ["First"]
