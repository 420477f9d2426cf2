"""Which code a digest stands for."""

import pytest

from pipeline import fingerprint
from pipeline.fingerprint import code_fingerprint


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """`tasks.train` imports `tools.maths`, which imports `tools.base`; nothing imports `tools.other`."""
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    for name, text in {
        "tasks/train.py": "import numpy\n\ndef run():\n    from tools import maths\n",
        "tools/__init__.py": "",
        "tools/maths.py": "from tools.base import ONE\n",
        "tools/base.py": "ONE = 1\n",
        "tools/other.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("file", ["tasks/train.py", "tools/maths.py", "tools/base.py", "tools/__init__.py"])
def test_it_changes_with_every_file_behind_the_module(checkout, file):
    before = code_fingerprint("tasks.train")
    assert code_fingerprint("tasks.train") == before
    (checkout / file).write_text((checkout / file).read_text() + "# edited\n")
    assert code_fingerprint("tasks.train") != before


def test_it_does_not_change_with_a_file_that_is_not_imported(checkout):
    before = code_fingerprint("tasks.train")
    (checkout / "tools" / "other.py").write_text("two = 2\n")
    assert code_fingerprint("tasks.train") == before


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"tasks\.gone"):
        code_fingerprint("tasks.gone")
