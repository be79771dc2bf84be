"""``emorec annotate``: a clip's video with face box, verdict and moving bars."""

from __future__ import annotations

import argparse

from emorec.cli import common
from emorec.errors import EmorecError, MediaError, printable

EXAMPLES = """examples:
  emorec annotate clip.mp4 -o annotated.mp4
  emorec annotate interview.mkv -o interview_annotated.mkv --side strip
  emorec annotate talk.mp4 --people -o talk_annotated.mp4     numbers, and who speaks
  emorec annotate holiday.webm -o videos/          writes videos/holiday_annotated.mp4

The clip's picture keeps its size, and the canvas grows by the bars. The sound is copied as it is;
where mp4 cannot hold it, name an .mkv file. A video that is there already is written over only with
--overwrite.

exit status:
  0  the video is written
  1  the clip cannot be read, or there is neither a voice nor a face in it
  2  wrong usage, a model that cannot be loaded, or a video that cannot be written
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    annotate = common.add_command(
        commands,
        "annotate",
        help="write a clip's video with face box, verdict and moving bars",
        description="Writes a video of the clip with the face box, the verdict and moving bars.",
        examples=EXAMPLES,
    )
    add = annotate.add_argument
    add("path", type=common.name, metavar="CLIP", help="the clip")
    add(
        "-o",
        "--out",
        type=common.path,
        required=True,
        help="the video (.mp4, .mov, .mkv), or a folder",
    )
    add("--side", choices=("bars", "strip"), default="bars", help="bars beside or under (bars)")
    add("--people", action="store_true", help="box and number for everybody, and who speaks")
    common.add_person(annotate)
    common.add_overwrite(annotate)
    common.add_models(annotate)
    annotate.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the annotated video; see ``emorec annotate --help``."""
    from emorec.media.find import check_name
    from emorec.report.earlier import refuse_earlier
    from emorec.report.terminal import print_table
    from emorec.report.video import output_path, write_annotated
    from emorec.result.clip import ClipResult

    try:
        check_name(options.path)
        out = output_path(options.path, options.out)
        if not options.overwrite:
            refuse_earlier([out])
        recognizer = common.load_recognizer(options)
        if options.people:
            recognizer = recognizer.for_everybody()
        result = recognizer.classify(options.path)
        if result.emotion:
            with common.progress_bar() as progress:
                task = progress.add_task("Drawing", total=100)

                def show(share: float) -> None:
                    progress.update(task, completed=round(100 * share))

                write_annotated(result, out, options.side, show)
    except KeyboardInterrupt:
        common.say("interrupted: no video is written")
        return common.EXIT_INTERRUPTED
    except MediaError as error:
        result = ClipResult.failed(options.path, error.reason, error.remedy)
    except EmorecError as error:
        return common.refuse(error)
    print_table([result])
    if not result.emotion:
        return common.EXIT_NOT_ALL
    print(f"annotated video: {printable(out)}")
    return common.EXIT_OK
