"""What the tests of the web page share: clips that were sent, and a reader that needs no model."""

import asyncio
import contextlib
import json
from pathlib import Path

import numpy as np

from emorec.app.clip_tab import written
from emorec.emotions import COMMON7
from emorec.errors import MediaError
from emorec.result.clip import ClipResult
from emorec.streams.windows import Windows

PAGE, OTHER = "a" * 32, "b" * 32


def sent(store, page=PAGE, content=b"x", name="clip.wav"):
    stored = store.new(page, name)
    stored.path.write_bytes(content)
    store.keep(page, stored)
    return stored


def files(folder: Path) -> list[Path]:
    return [f for f in folder.rglob("*") if f.is_file() and f.name != "lock"]


def close_tab(store, page=PAGE):
    store.disconnect(page)
    store.sweep()


class Reader:
    """Stands in for the recogniser; `meanwhile` happens while each clip is read."""

    def __init__(self, meanwhile=lambda: None, is_deaf=False):
        self.meanwhile, self.is_deaf, self.read = meanwhile, is_deaf, []

    def classify_safely(self, path, watch):
        self.read.append(path)
        self.meanwhile()
        try:
            if not self.is_deaf:
                watch(0.1)
        except MediaError as error:
            return ClipResult.failed(path, error.reason, error.remedy)
        said = np.full(len(COMMON7), 1 / len(COMMON7), np.float32)
        both = {"voice": said, "fused": said}
        windows = {name: Windows(np.array([0.5]), said[np.newaxis], 0.5) for name in both}
        return ClipResult(path, "ok", posteriors=both, windows=windows, duration_s=1.0)


def told(lines) -> list[str]:
    """All that a page is shown or told while work is done for it."""

    async def listened():
        async with contextlib.aclosing(written(lines)) as all_lines:
            parts = [json.loads(line) async for line in all_lines]
        assert parts.pop() == {"done": True}
        return [part.get("html") or part["problem"] for part in parts if "share" not in part]

    return asyncio.run(asyncio.wait_for(listened(), 30))


def read(desk, *clips, page=PAGE):
    return told(desk.read(page, [clip.token for clip in clips]))
