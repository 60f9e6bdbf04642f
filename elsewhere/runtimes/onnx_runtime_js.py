"""onnxruntime in JavaScript: in Node, and as WebAssembly, as browsers have it. Needs node and npm."""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from elsewhere.export import to_onnx
from elsewhere.runtimes import Array, Program

VERSION = "1.30.0"
SCRIPT = Path(__file__).with_suffix(".mjs")


class JavaScript:
    """A process of Node that runs the network."""

    def __init__(self, package: str, folder: Path) -> None:
        command = ["node", SCRIPT.name, package, "digits.onnx"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe)
        self.seconds = 0.0

    def run(self, images: Array) -> Array:
        """Return the logits (N, 10) of `images` (N, 1, 28, 28)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(struct.pack("<I", len(images)) + images.tobytes())
        self.process.stdin.flush()
        logits = np.frombuffer(self.process.stdout.read(4 * 10 * len(images)), np.float32)
        (seconds,) = struct.unpack("<d", self.process.stdout.read(8))
        self.seconds += seconds
        return logits.reshape(-1, 10)

    def clock(self) -> float:
        """Return the seconds spent in the runtime so far, without those of the pipe."""
        return self.seconds


def install(package: str, folder: Path) -> None:
    """Install a package of npm into `folder`."""
    # Without --ignore-scripts, a library for GPUs would be downloaded.
    npm = ["npm", "install", "--silent", "--ignore-scripts", "--prefix=.", f"{package}@{VERSION}"]
    subprocess.run(npm, cwd=folder, check=True)


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the exported network in both packages."""
    content = to_onnx(model)
    (folder / "digits.onnx").write_bytes(content)
    shutil.copy(SCRIPT, folder)
    for package in ("onnxruntime-node", "onnxruntime-web"):
        install(package, folder)
        script = JavaScript(package, folder)
        try:
            yield Program(f"{package} {VERSION}", len(content), script.run, script.clock)
        finally:  # also if it did not run
            script.process.kill()
