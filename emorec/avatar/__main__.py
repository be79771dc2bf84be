"""Make avatars from the command line: ``python -m emorec.avatar examples FOLDER``."""

import argparse

from emorec.avatar.clip import all_takes, make_corpus, make_examples, make_sound_corpus


def main() -> None:
    """Parse the command line and make what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m emorec.avatar", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    examples = commands.add_parser("examples", help="the seven clips of DEMO/Examples")
    examples.add_argument("folder")
    for name, text in (("corpus", "clips of whole actors"), ("sounds", "their sound as WAV")):
        corpus = commands.add_parser(name, help=text)
        corpus.add_argument("folder")
        corpus.add_argument("--actors", type=int, default=24, help="how many actors (24)")
        corpus.add_argument("--takes", type=int, default=60, help="takes of each actor (60)")
        corpus.add_argument("--jobs", type=int, default=1, help="processes, -1: one a core (1)")
    options = parser.parse_args()
    if options.command == "examples":
        paths = make_examples(options.folder)
    else:
        make = make_corpus if options.command == "corpus" else make_sound_corpus
        takes = _spread(all_takes(), options.takes)
        paths = make(options.folder, range(1, options.actors + 1), takes, options.jobs)
    print(f"{len(paths)} files in {options.folder}")


def _spread(takes: list, count: int) -> list:
    """Choose some takes so that every emotion comes up early."""
    by_turns = sorted(takes, key=lambda t: (t.repetition, t.statement, -t.intensity))
    return by_turns[: max(count, 0)]


if __name__ == "__main__":
    main()
