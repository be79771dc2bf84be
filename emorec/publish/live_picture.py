"""Draw the terminal view of a clip: ``python -m emorec.publish.live_picture CLIP PICTURE.svg``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

from rich.console import Console

from emorec.live.engine import LiveEngine
from emorec.live.sources import in_order
from emorec.live.view import panel
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader
from emorec.paths import default_models_folder
from emorec.recognizer import Recognizer

_PICTURE_AFTER_S = 2.4
_COLUMNS = 80


def main(arguments: list[str] | None = None) -> int:
    """Draw the terminal view of a clip, as it is after some seconds, as an SVG picture.

    The clip is played at its own speed, and every frame is waited for, so that the bars are the
    same on a busy machine.
    """
    parser = argparse.ArgumentParser(
        prog="python -m emorec.publish.live_picture", description=main.__doc__
    )
    parser.add_argument("clip", type=Path, help="a clip of at least three seconds")
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    options = parser.parse_args(arguments)
    with LiveEngine(Recognizer.load(default_models_folder())) as engine:
        reader = ClipReader(options.clip, sample_rate_hz=engine.sample_rate_hz)
        engine.tell("origin", reader.info.comment)
        kinds = reader.info.has_picture, reader.info.has_sound
        start_s = time.monotonic()
        for due_s, piece in in_order(reader, *kinds, engine.sample_rate_hz):
            if due_s > _PICTURE_AFTER_S:
                break
            time.sleep(max(0.0, start_s + due_s - time.monotonic()))
            if isinstance(piece, FrameBatch):
                engine.push_frame(piece.frames[0], due_s)
            else:
                engine.push_sound(piece.samples, engine.sample_rate_hz, piece.start_s)
            engine.drain()
        counts = engine.counts
        rate = counts.taken / (time.monotonic() - start_s)
        view = panel(engine.verdict(), counts, rate, _COLUMNS)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, force_terminal=True)
        console.print(view)
    # The picture names a font of the web otherwise, which no reader's machine should fetch.
    svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="emorec live"), flags=re.S)
    options.picture.write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
