"""Downloads against a server on loopback: what arrives, what is refused and what is left on disk."""

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data import contract as contracts
from data import download
from data.errors import UserError

CSV = b'"age";"y"\n58;"no"\n'
CSV_SHA256 = hashlib.sha256(CSV).hexdigest()


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


NESTED = zipped("inner.zip", zipped("folder/bank.csv", CSV))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/nested")
            self.end_headers()
            return
        body = {"/plain": CSV, "/page": b"<html>sorry</html>"}.get(self.path, NESTED)
        self.send_response(200)
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def contract(server):
    def make(path, member=("inner.zip", "folder/bank.csv"), sha256=CSV_SHA256):
        source = contracts.Source(
            url=f"http://127.0.0.1:{server.server_port}{path}", member=member, sha256=sha256, delimiter=";"
        )
        return contracts.load("bank-full").model_copy(update={"source": source})

    return make


@pytest.mark.parametrize("path", ["/nested", "/moved", "/unsized"])
def test_zip_inside_zip_arrives_under_its_own_name(contract, tmp_path, path):
    file = download.fetch(contract(path), tmp_path / "raw")
    assert file == tmp_path / "raw" / "bank.csv"
    assert file.read_bytes() == CSV
    assert list(file.parent.iterdir()) == [file]


def test_file_without_archive(contract, tmp_path):
    assert download.fetch(contract("/plain", member=()), tmp_path).read_bytes() == CSV


def test_verified_file_needs_no_network(contract, server, tmp_path):
    (tmp_path / "bank.csv").write_bytes(CSV)
    server.requests.clear()
    assert download.fetch(contract("/nested"), tmp_path) == tmp_path / "bank.csv"
    assert server.requests == []


def test_damaged_file_is_fetched_again(contract, tmp_path):
    (tmp_path / "bank.csv").write_bytes(CSV[:-3])
    assert download.fetch(contract("/nested"), tmp_path).read_bytes() == CSV


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("/nested", {"sha256": "0" * 64}, "not the published file: expected sha256 0000"),
        ("/missing", {}, "the server answers 404 Not Found"),
        ("/cut", {}, "the download failed"),
        ("/page", {}, "expected a zip archive with 'inner.zip' inside"),
        ("/nested", {"member": ("inner.zip", "other.csv")}, "inner.zip: the archive holds no 'other.csv'"),
    ],
)
def test_refused_download_leaves_nothing_behind(contract, tmp_path, path, change, says):
    with pytest.raises(UserError, match=says) as caught:
        download.fetch(contract(path, **change), tmp_path)
    assert path in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_refused_download_keeps_the_file_that_is_there(contract, tmp_path):
    (tmp_path / "bank.csv").write_bytes(b"older")
    with pytest.raises(UserError):
        download.fetch(contract("/missing"), tmp_path)
    assert (tmp_path / "bank.csv").read_bytes() == b"older"


def test_contract_without_address():
    with pytest.raises(UserError, match="hackerearth names no address"):
        download.fetch(contracts.load("hackerearth"))


def test_offline_command_line_says_one_sentence_and_exits_2(tmp_path):
    text = (contracts.CONTRACTS / "bank-full.yaml").read_text()
    offline = tmp_path / "offline.yaml"
    offline.write_text(
        text.replace("https://archive.ics.uci.edu", "http://127.0.0.1:9").replace("name: bank-full", "name: x")
    )
    offline.write_text(
        offline.read_text().replace("member: [bank.zip, bank-full.csv]", "member: [bank.zip, offline.csv]")
    )
    result = subprocess.run(
        [sys.executable, "-m", "data.download", str(offline)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "127.0.0.1:9" in result.stderr
    assert "the download failed" in result.stderr
    assert not (download.RAW / "offline.csv").exists()
