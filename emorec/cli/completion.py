"""``emorec --print-completion SHELL``: what a shell completes of a command line, through shtab."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from emorec.errors import MissingPartError, require

__all__ = ["SHELLS", "PrintCompletion"]

SHELLS = ("bash", "zsh")


class PrintCompletion(argparse.Action):
    """Prints the script that a shell reads, and ends the program."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Print it, or say what is to be installed for it."""
        try:
            require("completion", "shtab")
        except MissingPartError as error:
            parser.exit(2, f"emorec: {error}\n")
        import shtab

        for action in _actions(parser):
            if action.metavar in ("FILE", "PATH"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar == "FOLDER":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        print(shtab.complete(parser, values))
        parser.exit(0)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
