"""``emorec features``: what was seen and heard in clips, as tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from emorec.cli import common, reading
from emorec.errors import EmorecError, MediaError, printable

EXAMPLES = """examples:
  emorec features clip.mp4 -o features.csv           features_faces.csv and features_voice.csv
  emorec features recordings/ -o features.parquet    the same of all clips, needs emorec[cluster]
  emorec features recordings/ -o tables/             two CSV files for each clip
  emorec features talk.mp4 --people -o talk.csv      everybody's faces, numbered
  emorec features a.mp4 --embeddings -o a.parquet    and a_face_embeddings, a_voice_embeddings

Faces: a row for each face that was looked at, about 15 a second: file, time_s, person, box (x, y,
width, height in pixels of the upright picture), yaw_deg, pitch_deg, roll_deg of the head, the
probability of each emotion where the face network looked, and 68 landmarks (x0, y0 to x67, y67).
Voice: a row for each window of three seconds in which somebody speaks: file, start_s, end_s,
speech_share, loudness_db (of full scale), pitch_hz (median), the probability of each emotion.
Embeddings: what the last layer of a network reads, for each face that the face network looked at
(file, time_s, person, face_000 to face_255) and each window of the voice (file, start_s, end_s,
voice_0000 to voice_3071).

exit status:
  0  every clip was read
  1  some clips could not be read
  2  wrong usage, a model that cannot be loaded, or an output that cannot be written
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    features = common.add_command(
        commands,
        "features",
        help="write faces, head poses, loudness, pitch as tables",
        description="Writes what was seen and heard in clips on the way to their verdicts.",
        examples=EXAMPLES,
    )
    add = features.add_argument
    text = "a clip or picture, a folder of clips, a quoted pattern, or - (a pipe)"
    add("paths", nargs="+", type=common.name, metavar="PATH", help=text)
    text = "a file .csv or .parquet, or a folder"
    add("-o", "--output", type=common.path, metavar="PATH", required=True, help=text)
    add("--people", action="store_true", help="every face, and who it is")
    add("--embeddings", action="store_true", help="two more tables: what the last layers read")
    add("--pictures", action="store_true", help="read the pictures in folders, too")
    add("--quiet", action="store_true", help="print no progress")
    common.add_overwrite(features)
    common.add_jobs(features)
    common.add_models(features)
    features.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the tables; see ``emorec features --help``."""
    from emorec.cli.progress import BatchProgress
    from emorec.report.features import EMBEDDINGS, TABLES, FeatureWriter, feature_files

    failed, tables = 0, TABLES + (EMBEDDINGS if options.embeddings else ())
    try:
        with reading.piped(options) as called:
            clips = reading.find(options.paths, options.pictures, options.quiet)
            paths = [Path(clip) for clip in clips if not isinstance(clip, MediaError)]
            is_over = options.overwrite
            writer = FeatureWriter(options.output, paths, overwrite=is_over, tables=tables)
            with writer, BatchProgress("Reading", len(clips), options.quiet) as progress:
                read = _reader(options) if paths else lambda some, watch: iter(())
                for result in reading.results(read, clips, progress, called):
                    problem = writer.add(result)
                    if result.status == "failed":
                        failed += 1
                        problem = f"{result.reason}. Remedy: {result.remedy}."
                    if problem:
                        common.say(f"{printable(result.name)}: {problem}")
    except EmorecError as error:
        return common.refuse(error)
    if not options.quiet and len(clips) > failed:
        is_file = options.output.suffix and not options.output.is_dir()
        files = feature_files(options.output, tables).values() if is_file else []
        where = ", ".join(map(printable, files)) or f"in {printable(options.output)}"
        common.say(f"tables: {where}")
    return common.EXIT_NOT_ALL if failed else common.EXIT_OK


def _reader(options: argparse.Namespace) -> reading.Reader:
    recognizer = common.load_recognizer(options)
    if options.people:
        recognizer = recognizer.for_everybody()
    if options.embeddings:
        recognizer = recognizer.with_embeddings()
    return lambda some, watch: reading.read_here(recognizer, some, options.jobs, watch)
