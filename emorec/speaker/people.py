"""People who are known: what a few clips told of a person, kept as a small JSON file.

A profile holds what each stream says of the person whatever happens, see
`emorec.speaker.calibration`: seven numbers a stream. No picture, no sound and no name of a clip is
in it.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emorec.errors import EmorecError, OutputError, printable
from emorec.files import write_json
from emorec.paths import people_folder
from emorec.speaker.calibration import Speaker

__all__ = [
    "PersonError",
    "Profile",
    "check_person",
    "forget",
    "known_people",
    "load",
    "path_of",
    "refuse_known",
    "save",
]

_FORMAT = 1
_LONGEST_NAME_BYTES = 120
_NAME = re.compile(r"\w(?:[\w .'-]*\w)?")
# Names that Windows keeps for devices, whatever their ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class PersonError(EmorecError, ValueError):
    """A person who is not known, or is no longer, or whose name cannot be kept."""


@dataclass(frozen=True)
class Profile:
    """What is kept of a person.

    Attributes:
        name: What the person is called.
        speaker: What the streams say of the person.
        clips: Number of clips that it was learned from.
        models: Part of the recogniser -> fingerprint of what it was learned with.
        classes: Classes of the biases.
    """

    name: str
    speaker: Speaker
    clips: int
    models: Mapping[str, str]
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Profile of {self.name!r}: {self.clips} clips, {', '.join(self.speaker.biases)}>"

    def known(self) -> Speaker:
        """Return what judges clips of the person; a note on every result says who that is."""
        clips = "one clip" if self.clips == 1 else f"{self.clips} clips"
        who = f"judged as {self.name}, known from {clips}"
        return replace(self.speaker, notes=(who, *self.speaker.notes), clips=self.clips)

    def check_models(self, models: Mapping[str, str]) -> None:
        """Make sure that what judges is what the person was learned with.

        Raises:
            PersonError: When it is not: the same person would look otherwise to it.
        """
        other = sorted(
            part for part in {*models, *self.models} if models.get(part) != self.models.get(part)
        )
        if other:
            reason = f"it was learned with another version of the {' and the '.join(other)}"
            remedy = (
                "learn it again with these models (emorec calibrate --overwrite "
                f"{shlex.quote(self.name)} CLIPS...), or name those with --models or --voice-model"
            )
            raise PersonError(f"the profile of {self.name}", reason, remedy)


def check_person(name: str) -> str:
    """Return a person's name as it is kept, blanks at its ends left out.

    Raises:
        PersonError: When it is none that a file can be called by on every system.

    >>> check_person(" Anna-Maria O'Neil ")
    "Anna-Maria O'Neil"
    """
    name = unicodedata.normalize("NFC", name).strip()
    is_short = len(name.casefold().encode("utf-8", "replace")) <= _LONGEST_NAME_BYTES
    if not _NAME.fullmatch(name) or not is_short or _DEVICES.fullmatch(name.casefold()):
        reason = "it cannot be a person's name here"
        remedy = (
            "use letters, digits, blanks and . ' - _ , a letter or digit first and last, at most "
            f"{_LONGEST_NAME_BYTES} bytes"
        )
        raise PersonError(repr(name), reason, remedy)
    return name


def path_of(name: str) -> Path:
    """Return where a person's profile lies; capitals and small letters name the same.

    Raises:
        PersonError: When it cannot be a name.
    """
    return people_folder() / f"{check_person(name).casefold()}.json"


def refuse_known(name: str) -> None:
    """Refuse to learn a person anew.

    Raises:
        PersonError: When one of this name is known, or it cannot be a name.
    """
    if path_of(name).exists():
        remedy = f"give --overwrite, or: emorec calibrate --forget {shlex.quote(name)}"
        raise PersonError(name, "a person of this name is known already", remedy)


def save(profile: Profile, *, overwrite: bool = False) -> Path:
    """Keep a profile; only its owner may read the folder, where the system knows owners.

    Args:
        profile: What is kept.
        overwrite: Whether an earlier profile of that name goes.

    Returns:
        The file.

    Raises:
        PersonError: When there is one already, or the name cannot be kept.
        OutputError: When it cannot be written.
    """
    path = path_of(profile.name)
    if not overwrite:
        refuse_known(profile.name)
    content = {
        "format": _FORMAT,
        "name": profile.name,
        "clips": profile.clips,
        "classes": list(profile.classes),
        "models": dict(profile.models),
        "biases": {s: [round(float(v), 6) for v in b] for s, b in profile.speaker.biases.items()},
        "notes": list(profile.speaker.notes),
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(path, content)
    except OSError as error:
        raise OutputError.because_of(path, error) from error
    return path


def load(name: str) -> Profile:
    """Read a person's profile.

    Raises:
        PersonError: When nobody of this name is known, or the file is no profile.
    """
    path = path_of(name)
    try:
        return _read(path)
    except FileNotFoundError as error:
        known = ", ".join(known_people()) or "nobody"
        remedy = f"get to know them first: emorec calibrate {shlex.quote(check_person(name))} CLIPS"
        reason = f"this person is not known; known in {path.parent}: {known}"
        raise PersonError(check_person(name), reason, remedy) from error


def forget(name: str) -> Path:
    """Delete a person's profile, and return where it lay.

    Raises:
        PersonError: When nobody of this name is known.
        OutputError: When it cannot be deleted.
    """
    path = path_of(name)
    try:
        path.unlink()
    except FileNotFoundError as error:
        known = ", ".join(known_people()) or "nobody"
        remedy = "emorec calibrate --list shows who is known"
        reason = f"this person is not known; known in {path.parent}: {known}"
        raise PersonError(check_person(name), reason, remedy) from error
    except OSError as error:
        raise OutputError.because_of(path, error) from error
    return path


def known_people() -> dict[str, Profile | PersonError]:
    """Return who is known, by name; what is no profile stands there as its error."""
    found: dict[str, Profile | PersonError] = {}
    for path in sorted(people_folder().glob("*.json")):
        try:
            profile = _read(path)
            found[profile.name] = profile
        except PersonError as error:
            found[printable(path.stem)] = error
    return found


def _read(path: Path) -> Profile:
    """Read a profile.

    Raises:
        FileNotFoundError: When there is none.
        PersonError: When it is none, or cannot be read.
    """
    remedy = "delete the file, and learn the person again: emorec calibrate NAME CLIPS"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            reason = f"it is of format {content['format']}, and this version reads {_FORMAT}"
            raise PersonError(path, reason, remedy)
        classes = tuple(map(str, content["classes"]))
        biases = {str(s): np.array(b, float) for s, b in content["biases"].items()}
        is_whole = all(b.shape == (len(classes),) and np.isfinite(b).all() for b in biases.values())
        if not biases or not is_whole:
            raise ValueError("its numbers are not whole")
        return Profile(
            check_person(content["name"]),
            Speaker(biases, tuple(map(str, content["notes"]))),
            int(content["clips"]),
            {str(part): str(mark) for part, mark in content["models"].items()},
            classes,
        )
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PersonError(path, f"it cannot be read ({error.strerror})", remedy) from error
    except PersonError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PersonError(path, "it is no profile of a person", remedy) from error
