"""Descriptions of engines, and what is said where one cannot be used."""

from __future__ import annotations

import pytest

from data.errors import BadOptionError
from pipeline import engine
from tests.support.server import free_port


@pytest.mark.parametrize("name", sorted(path.stem for path in engine.ENGINES.glob("*.yaml")))
def test_engines_of_the_project_can_be_loaded(name):
    found = engine.load(name)
    assert found.name == name
    assert found.title
    assert bool(found.beam_args) == (name != "local")


def test_an_image_is_named_so_that_nothing_is_packed(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: mine\nbeam_flags: [--runner=FlinkRunner]\n")
    assert engine.load(str(file)).beam_args == ("--runner=FlinkRunner", "--sdk_container_image=none")
    file.write_text("title: mine\nbeam_flags: [--sdk_container_image=x]\n")
    assert engine.load(str(file)).beam_args == ("--sdk_container_image=x",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: mine\nbeam_flag: []\n", "beam_flag: Extra inputs are not permitted"),
        ("beam_flags: []\n", "title: Field required"),
        ("title: mine\nbeam_flags: --runner=FlinkRunner\n", "beam_flags: Input should be a valid tuple"),
        ("- mine\n", "the file: Input should be"),
        ("title: {\n", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(BadOptionError, match=message) as error:
        engine.load(str(file))
    assert str(file) in str(error.value)


def test_an_unknown_engine_is_told_with_the_known_ones(tmp_path):
    with pytest.raises(BadOptionError, match=r"did you mean 'flink'\?\): expected one of dataflow, flink, local"):
        engine.load("flnk")
    with pytest.raises(BadOptionError, match="No such file"):
        engine.load(str(tmp_path / "none.yaml"))


def test_this_process_needs_no_check(tmp_path):
    engine.check(engine.load("local"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_job_server_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "mine.yaml"
    endpoint = f"localhost:{free_port()}"
    file.write_text(f"title: mine\nbeam_flags: [--runner=PortableRunner, --job_endpoint={endpoint}]\n")
    with pytest.raises(engine.EngineError, match=f"engine mine: no job server at {endpoint}") as error:
        engine.check(engine.load(str(file)), tmp_path)
    assert error.value.exit_code == 1
