"""`python -m campaigns.keys` makes, lists and revokes keys."""

from __future__ import annotations

import pytest

from campaigns.keys import main
from campaigns.store import keys
from campaigns.store.database import open_database


def test_a_key_is_shown_once_and_alone_on_standard_output(capsys, tmp_path):
    folder = ["--artifacts", str(tmp_path)]
    assert main(["add", "ana", "--role", "admin", *folder]) == 0
    text, says = capsys.readouterr()
    assert "ana" in says
    engine = open_database(None, tmp_path / "campaigns")
    assert keys.valid(engine)[keys.hashed(text.strip())].role == "admin"
    assert main(["list", *folder]) == 0
    listed = capsys.readouterr().out
    assert "ana" in listed
    assert "valid" in listed
    assert text.strip() not in listed
    assert main(["revoke", "ana", *folder]) == 0
    assert keys.valid(engine) == {}
    main(["list", *folder])
    assert "revoked" in capsys.readouterr().out
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["revoke", "ana"], "no valid key 'ana'"),
        (["add", "a b", "--role", "read"], "expected 1 to 60 letters"),
        (["list", "--database", "mysql://x"], "--database"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, tmp_path, arguments, says):
    assert main([*arguments, "--artifacts", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert says in errors
    assert errors.count("\n") == 1
