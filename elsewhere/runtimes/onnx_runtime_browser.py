"""onnxruntime on WebGPU, in a browser, without a graphics card. Needs node, npm and Chromium."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from torch import Tensor, nn

from elsewhere.export import to_onnx
from elsewhere.runtimes import Array, Program
from elsewhere.runtimes.onnx_runtime_js import VERSION, install

PAGE = Path(__file__).with_suffix(".html")
MOST = 1000  # images: each takes a large part of a second
PATIENCE = 900  # seconds, for their logits


class Handler(SimpleHTTPRequestHandler):
    """Gives the page its files and images, and takes its logits."""

    server: "Server"

    def do_GET(self) -> None:
        """Answer with images as soon as there are some, or with a file."""
        if self.path != "/images":
            super().do_GET()
            return
        images = self.server.images.get()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(images)

    def do_POST(self) -> None:
        """Take logits, or why there are none."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    """Serves one page, on this machine alone."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.images: SimpleQueue[bytes] = SimpleQueue()
        self.answers: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def run(self, images: Array) -> Array:
        """Return the logits (N, 10) that the page computes for `images` (N, 1, 28, 28)."""
        self.images.put(images.tobytes())
        path, body = self.answers.get(timeout=PATIENCE)
        if path == "/failure":
            raise RuntimeError(body.decode())
        return np.frombuffer(body, np.float32).reshape(-1, 10)


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the exported network, in a page."""
    content = to_onnx(model)
    (folder / "digits.onnx").write_bytes(content)
    shutil.copy(PAGE, folder)
    install("onnxruntime-web", folder)
    server = Server(folder)
    chromium = ["chromium", "--headless", "--no-sandbox", f"--user-data-dir={folder / 'profile'}"]
    webgpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    address = f"http://127.0.0.1:{server.server_port}/{PAGE.name}"
    browser = subprocess.Popen([*chromium, *webgpu, address], stderr=subprocess.DEVNULL)
    name = f"onnxruntime-web {VERSION}, on WebGPU, {MOST:,} images"
    try:
        yield Program(name, len(content), server.run, most=MOST)
    finally:  # also if it did not run
        browser.terminate()
        browser.wait()
        server.shutdown()
