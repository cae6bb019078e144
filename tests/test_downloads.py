"""Downloads from a server that does what servers do: nothing half is kept, and every failure is said in one line."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from torchvision.datasets import MNIST

from ganzoo.api import NoParams
from ganzoo.errors import DataError, WeightsError
from ganzoo.zoo import downloads
from ganzoo.zoo.datasets import vision
from ganzoo.zoo.extractors.hub import download

BODY = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers /HOW/name with `files[name]`, in a way that HOW says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"weights.pth": BODY}
        self.over = threading.Event()
        """Ends the silence of a server that stays silent."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        _, how, name = self.path.split("/")
        body = self.server.files[name]
        if how == "no-http":
            self.wfile.write(b"who is there?\r\n\r\n")
        elif how == "moved":
            self.send_response(302)
            self.send_header("Location", f"/whole/{name}")
            self.end_headers()
        elif how == "in-circles":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif how == "gone":
            self.send_error(404)
        else:
            self.answer(how, body)

    def answer(self, how: str, body: bytes) -> None:
        self.send_response(200)
        if how == "cut-chunk":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(body) + body[: len(body) // 2])
            return
        sent = {"whole": body, "other": b"<html>Please log in</html>"}.get(how, body[: len(body) // 2])
        self.send_header("Content-Length", str(len(sent if how == "other" else body)))
        self.end_headers()
        self.wfile.write(sent)
        if how == "silent":
            self.wfile.flush()
            self.server.over.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        serving = threading.Thread(target=server.serve_forever, args=[0.01])
        serving.start()
        yield server
        server.over.set()
        server.shutdown()
        serving.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a silent server no longer than a test may take."""
    monkeypatch.setattr(downloads, "NETWORK_TIMEOUT", 0.2)


@pytest.mark.parametrize("how", ["whole", "moved"])
@pytest.mark.parametrize("sha256", [SHA256, None])
def test_weights_arrive(server: Server, how: str, sha256: str | None, tmp_path: Path):
    download(server.url(f"{how}/weights.pth"), tmp_path / "new" / "weights.pth", "the weights", sha256)
    assert (tmp_path / "new" / "weights.pth").read_bytes() == BODY


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("no-http", "who is there"),
        ("in-circles", "infinite loop"),
        ("gone", "404"),
        ("silent", "timed out"),
        ("cut-chunk", "IncompleteRead"),
        ("cut", "invalid hash"),
        ("other", "invalid hash"),
    ],
)
def test_weights_that_do_not_arrive_whole_are_not_kept(server: Server, how: str, reason: str, tmp_path: Path):
    one_line = f"^[^\n]*the weights are not there[^\n]*{reason}[^\n]*--extractor NAME [^\n]*$"
    with pytest.raises(WeightsError, match=one_line):
        download(server.url(f"{how}/weights.pth"), tmp_path / "weights.pth", "the weights", SHA256)
    assert not list(tmp_path.iterdir())


# Datasets -----------------------------------------------------------------------------------------------------------


def idx(*shape: int) -> bytes:
    """Return zeros as MNIST's files hold them, compressed."""
    size = 1
    for side in shape:
        size *= side
    return gzip.compress(struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *shape) + bytes(size), 1)


@pytest.fixture
def mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that is MNIST's only mirror, of black images."""
    for split, count in (("train", 60_000), ("t10k", 10_000)):
        server.files[f"{split}-images-idx3-ubyte.gz"] = idx(count, 28, 28)
        server.files[f"{split}-labels-idx1-ubyte.gz"] = idx(count)
    sums = [(name, hashlib.md5(server.files[name]).hexdigest()) for name, _ in MNIST.resources]
    monkeypatch.setattr(MNIST, "resources", sums)
    return server


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("how", "reason"),
    [("silent", "timed out"), ("cut-chunk", "IncompleteRead"), ("cut", "corrupted"), ("other", "corrupted")],
)
def test_a_dataset_that_did_not_arrive_whole_is_downloaded_again(
    mnist: Server, how: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(MNIST, "mirrors", [mnist.url(f"{how}/")])
    with pytest.raises(DataError, match=f"^[^\n]*train-images-idx3-ubyte is missing[^\n]*{reason}[^\n]*--data-root$"):
        vision.load_mnist(NoParams(), tmp_path, "test")
    monkeypatch.setattr(MNIST, "mirrors", [mnist.url("whole/")])
    assert vision.load_mnist(NoParams(), tmp_path, "test").pixels.shape == (10_000, 1, 28, 28)
