"""`make demo-video`: the annotated video of a made-up clip, and the pictures of what is read.

python -m emorec.publish.demo_video

An avatar plays several emotions one after the other; face and voice are computed, nobody was
filmed. The recogniser as shipped reads it, and `DEMO/ER_DEMO.mp4` shows what it reads, right or
wrong; a frame of it leads to it from the README. An example's plot is drawn for the slides.
"""

import argparse
import tempfile
from pathlib import Path

import av

from emorec import Recognizer
from emorec.avatar import Take, write_scene
from emorec.files import write_atomically
from emorec.paths import REPOSITORY, default_models_folder
from emorec.report.table import write_plot
from emorec.report.video import write_annotated

VIDEO = REPOSITORY / "DEMO" / "ER_DEMO.mp4"
STILL = REPOSITORY / "Plots" / "annotated_example.png"
EXAMPLE = REPOSITORY / "DEMO" / "Examples" / "01-01-08-02-01-01-04.mp4"
PLOT = REPOSITORY / "Plots" / "demo_example.png"
ACTOR = 4
TAKES = (
    Take("neutral", intensity=1),
    Take("happy"),
    Take("angry", statement=2),
    Take("surprise"),
    Take("sad", statement=2),
)
STILL_AT_S = 5.0


def main() -> None:
    """Draw the clip, read it, write video and still picture."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    recognizer = Recognizer.load(default_models_folder())
    with tempfile.TemporaryDirectory() as folder:
        clip = write_scene(Path(folder, "scene.mp4"), ACTOR, TAKES)
        result = recognizer.classify(clip)
        write_annotated(result, VIDEO)
    write_plot(recognizer.classify(EXAMPLE), PLOT)
    write_atomically(STILL, lambda name: write_still(VIDEO, STILL_AT_S, Path(name)))
    print(f"{VIDEO.relative_to(REPOSITORY)}: {VIDEO.stat().st_size / 1e6:.1f} MB")
    print(f"{STILL.relative_to(REPOSITORY)}: at {STILL_AT_S} s")


def write_still(video: Path, time_s: float, path: Path) -> None:
    """Write the first frame at or after a time as PNG."""
    with av.open(str(video)) as container:
        frame = next(frame for frame in container.decode(video=0) if frame.time >= time_s)
        frame.to_image().save(path, "PNG", optimize=True)


if __name__ == "__main__":
    main()
