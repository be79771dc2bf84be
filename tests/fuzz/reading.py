"""Reads damaged clips as a user would; started by `fuzzing.py`, in a process with limits.

python -m reading MODELS OUTPUT CLIP ...        reads all of them, annotates some
"""

import resource
import sys
import time
from pathlib import Path

import av

from emorec import Recognizer
from emorec.cli import main
from emorec.errors import EmorecError
from emorec.report.video import annotate

MEMORY_BYTES = 4 * 2**30
"""Of addresses; what is really used is measured and compared with less."""
ANNOTATED_EVERY = 8


def read(models: Path, output: Path, clips: list[Path]) -> None:
    """Classify the clips by the command line, then annotate every eighth; say what was done."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outputs = ["--csv", output / "rows.csv", "--json", output / "rows.json"]
    outputs += ["--timeline", output / "timelines"]
    status = main(list(map(str, ["classify", "--models", models, *outputs, "--", *clips])))
    assert status in (0, 1), f"the exit status is {status}"
    recognizer = Recognizer.load(models)
    with (output / "annotated.txt").open("w") as done:
        for clip in clips[::ANNOTATED_EVERY]:
            start_s = time.process_time()
            said = _annotated(clip, output / f"{clip.name}.mkv", recognizer)
            print(clip.name, f"{time.process_time() - start_s:.2f}", said, file=done, flush=True)


def _annotated(clip: Path, out: Path, recognizer: Recognizer) -> str:
    """Annotate a clip and read the video; returns what was said where there is none."""
    try:
        result = annotate(clip, out, recognizer)
    except EmorecError as error:
        assert not out.exists(), "half a video is left"
        return str(error)
    if not result.emotion:
        assert not out.exists(), "a video without a verdict"
        return result.reason
    with av.open(str(out)) as video:
        assert next(video.decode(video=0)).width > 0
    return "written"


if __name__ == "__main__":
    read(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
