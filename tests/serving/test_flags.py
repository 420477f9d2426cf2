"""The command line takes TensorFlow Serving's flags and never ignores one."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import fields

import pytest

from data.errors import UserError
from data.paths import ROOT
from serving import flags


def test_without_flags_the_pipelines_model_is_served():
    parsed = flags.parse([])
    assert parsed.serves_default
    assert parsed.models_folder == "artifacts/serving"
    assert parsed.rest_api_host == "127.0.0.1"
    assert (parsed.rest_api_port, parsed.rest_api_timeout_in_ms, parsed.max_num_load_retries) == (8501, 30000, 5)


def test_values_and_the_last_occurrence_win():
    parsed = flags.parse(
        [
            "--rest_api_port=1",
            "--model_name=m",
            "--model_base_path=/models/m",
            "--rest_api_enable_cors_support",
            "--enable_model_warmup=false",
            "--rest_api_port=8080",
        ]
    )
    assert (parsed.rest_api_port, parsed.model_name, parsed.model_base_path) == (8080, "m", "/models/m")
    assert parsed.rest_api_enable_cors_support
    assert not parsed.enable_model_warmup
    assert not parsed.serves_default


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--port=8500", "tensorflow_model_server has this flag, this server does not"),
        ("--ssl_config_file=x", "tensorflow_model_server has this flag"),
        ("--rest_api_prot=1", "did you mean 'rest_api_port'"),
        ("--rest_api_port", "expected --rest_api_port=value"),
        ("--rest_api_port=http", "expected a whole number"),
        ("--rest_api_port=0", "expected a port from 1 to 65535"),
        ("--max_connections=0", "expected 1 or more"),
        ("--enable_batching=maybe", "expected true or false"),
        ("--max_num_load_retries=-1", "expected 0 or more"),
        ("8501", "expected --flag=value"),
    ],
)
def test_what_is_not_understood_is_an_error(argument, message):
    with pytest.raises(UserError, match=message):
        flags.parse([argument])


def test_the_help_names_every_flag_with_its_default():
    lines = flags.usage().splitlines()
    for field in fields(flags.Flags):
        (place,) = [number for number, line in enumerate(lines) if re.match(rf"  --{field.name}\b", line)]
        text = " ".join(itertools.takewhile(lambda line: line.startswith("      "), lines[place + 1 :]))
        if field.default not in ("", None):
            assert text.endswith(f"(default: {str(field.default).lower()})")


def test_help_comes_without_tensorflow():
    code = "import sys; from serving.__main__ import main; main(['--help']); sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--model_config_file=FILE" in done.stdout


def test_a_wrong_command_line_is_exit_code_2():
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--nope=1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("serving: --nope: no such flag")
