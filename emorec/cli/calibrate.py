"""``emorec calibrate``: get to know a person once, for every later run with ``--person``."""

from __future__ import annotations

import argparse
import shlex

from emorec.cli import common, reading
from emorec.errors import EmorecError, printable

EXAMPLES = """examples:
  emorec calibrate anna anna-1.mp4 anna-2.mp4 more-of-anna/
  emorec classify interview.mp4 --person anna      (annotate and live take --person, too)
  emorec calibrate --list
  emorec calibrate --forget anna

What each stream says of a person whatever happens is learned from a few clips without labels, eight
of mixed emotions for instance, and taken out of what it says later. Clips of one emotion do harm,
which is warned of. Kept are a few numbers for each stream, no picture and no sound, in a JSON file
in ~/.local/share/emorec/people (or emorec/people in XDG_DATA_HOME, or the folder that EMOREC_PEOPLE
names). They hold for the models that they were learned with.

exit status:
  0  done
  1  done, and some clips could not be read; they are named
  2  wrong usage, a name that cannot be one, is known already or is not known, or clips of
     which none tells anything
"""


def add_to(commands) -> None:
    """Add the command and its arguments."""
    calibrate = common.add_command(
        commands,
        "calibrate",
        help="get to know a person, for --person",
        description="Learns from a few clips what each stream says of a person whatever happens.",
        examples=EXAMPLES,
    )
    add = calibrate.add_argument
    add("name", nargs="?", type=common.name, metavar="NAME", help="what the person is called")
    add("clips", nargs="*", type=common.name, metavar="CLIP", help="clips, folders or patterns")
    instead = calibrate.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="show who is known")
    instead.add_argument("--forget", type=common.name, metavar="NAME", help="delete what is kept")
    instead.add_argument("--overwrite", action="store_true", help="learn a known person anew")
    common.add_jobs(calibrate)
    common.add_models(calibrate)
    calibrate.set_defaults(run=run, parser=calibrate)


def run(options: argparse.Namespace) -> int:
    """Learn, list or forget; see ``emorec calibrate --help``."""
    from emorec.speaker import people

    if options.name and (options.list or options.forget):
        options.parser.error("--list and --forget go alone")
    if not (options.clips or options.list or options.forget):
        options.parser.error("name a person and clips of them, or give --list or --forget")
    try:
        if options.list:
            return _list()
        if options.forget:
            print(f"forgotten: {printable(people.forget(options.forget))}")
            return common.EXIT_OK
        return _learn(options)
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        common.say("interrupted: nothing is kept")
        return common.EXIT_INTERRUPTED


def _learn(options: argparse.Namespace) -> int:
    from emorec.speaker import people

    # Before clips are read for minutes.
    name = people.check_person(options.name)
    if not options.overwrite:
        people.refuse_known(name)
    plain = common.load_recognizer(options)
    personal, failed = reading.calibrated(plain, options.clips, options.jobs)
    path = personal.keep_person(name, overwrite=options.overwrite)
    streams = ", ".join(personal.speaker.biases)
    print(
        f"{name} is known now, from {_clips(personal.speaker.clips)} ({streams}): {printable(path)}"
    )
    print(f"emorec classify CLIP --person {shlex.quote(name)}")
    return common.EXIT_NOT_ALL if failed else common.EXIT_OK


def _list() -> int:
    """Print who is known, one a line; what is no profile is said and skipped."""
    from emorec.paths import people_folder
    from emorec.speaker import people

    found = people.known_people()
    for name, profile in found.items():
        if isinstance(profile, people.PersonError):
            common.say(profile)
        else:
            streams = ", ".join(profile.speaker.biases)
            print(f"{name}: {_clips(profile.clips)} ({streams})")
    if not found:
        print(f"nobody is known in {printable(people_folder())}")
    return common.EXIT_OK


def _clips(count: int) -> str:
    return "one clip" if count == 1 else f"{count} clips"
