"""What a file is that cannot be read as a recording, told by its content, and what can be done."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["ENCRYPTED", "Cause", "is_scrambled", "kind_of", "list_kind"]

Cause = tuple[str, str]
"""What is wrong with a file, and what its owner can do."""

_HEAD_BYTES = 65_536
_LIST_BYTES = 4_096
_LIST = re.compile(
    rb"""ffconcat | \#EXTM3U | \[playlist\] | \[reference\] | \[internetshortcut\] | <asx\b
    | rtsptext | rtsp:// | v=0\r?\no= | \#\ vobsub | <\?wpl\b | <smil\b | <qtnext
    | <\?xml [^\0]{0,3000}? <(?:\w+:)?
    (?:mpd|smil|playlist|asx|assetmap|compositionplaylist|plist)\b
    | <mpd\b | <playlist\b | <assetmap\b | <compositionplaylist\b""",
    re.IGNORECASE | re.VERBOSE,
)
_A_LIST = (
    "it is a list or playlist, which only names recordings",
    "name the recordings themselves, one after the other",
)
_ARCHIVE = "unpack it, and name the recording in it"
_NO_RECORDING = "name the recording itself"
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (rb"PK\x03\x04", "it is a ZIP archive or an office document", _ARCHIVE),
    (rb"Rar!|7z\xbc\xaf\x27\x1c|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "it is packed", _ARCHIVE),
    (rb"%PDF", "it is a PDF document", _NO_RECORDING),
    (rb"MThd", "it holds notes (MIDI) and no sound", "record the sound that they make"),
    (rb"MZ|\x7fELF", "it is a program", _NO_RECORDING),
    (
        rb"version https://git-lfs",
        "it is a pointer of Git LFS, not the file",
        "run: git lfs pull",
    ),
    (
        rb"\s*(?:<!--[^\0]{0,500}?-->\s*)?<(?:!doctype html|html|head|body)\b",
        "it is a web page, as a download leaves that failed",
        "download the recording again, and look at the page to see why it failed",
    ),
)
_TEXT: Cause = (
    "it is a text, and no known video or sound format",
    f"{_NO_RECORDING}; if it was downloaded, the text may say what failed",
)
_ZEROS: Cause = (
    "it holds nothing but zeros, as a copy or download leaves that failed",
    "copy or download it again",
)
_NO_INDEX: Cause = (
    "its end is missing, and with it the index without which nothing in it can be found",
    "copy it again from where it was recorded; a recording that broke off may be mended by the "
    "device or program that made it",
)
ENCRYPTED: Cause = (
    "it is encrypted (copy protection)",
    "use a recording without protection; who sold or sent it can tell where there is one",
)
_UNKNOWN: Cause = (
    "its content is no known video or sound format, or its end is missing",
    "play it in a media player; if it plays there, convert it to mp4 or wav, else copy or record "
    "it again",
)
# Identifiers of ASF's objects of content encryption, plain and extended.
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_ENCRYPTION = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
_TS_PACKET_BYTES, _TS_PACKETS = 188, 200


def list_kind(path: Path) -> Cause | None:
    """Tell whether a file only lists others; None where it does not."""
    head = _without_mark(_head(path, _LIST_BYTES)).lstrip()
    return _A_LIST if _LIST.match(head) else None


def kind_of(path: Path) -> Cause:
    """Tell what a file is that FFmpeg does not take for a recording."""
    head = _head(path, _HEAD_BYTES)
    if not head.strip(b"\0"):
        return _ZEROS
    for pattern, reason, remedy in _SIGNATURES:
        if re.match(pattern, _without_mark(head), re.IGNORECASE):
            return reason, remedy
    if head[4:8] == b"ftyp":
        if head[8:12] in (b"aax ", b"aaxc"):
            return ENCRYPTED
        return _UNKNOWN if b"moov" in _outer_boxes(path) else _NO_INDEX
    if is_scrambled(path):
        return ENCRYPTED
    return _TEXT if _is_text(head) else _UNKNOWN


def is_scrambled(path: Path) -> bool:
    """Tell whether a file's head says that what follows is encrypted: ASF, transport streams."""
    head = _head(path, _HEAD_BYTES)
    if head.startswith(_ASF):
        return any(identifier in head for identifier in _ASF_ENCRYPTION)
    packets = [head[i : i + 4] for i in range(0, len(head) - 4, _TS_PACKET_BYTES)][:_TS_PACKETS]
    if len(packets) < 5 or any(packet[0] != 0x47 for packet in packets):
        return False
    return sum(packet[3] >= 0x80 for packet in packets) > len(packets) / 2


def _head(path: Path, length_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length_bytes)


def _without_mark(head: bytes) -> bytes:
    """Text without its mark of encoding, in 8 bits where it is Latin."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return head[2:].decode(encoding, "replace").encode("utf-8", "replace")
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_text(head: bytes) -> bool:
    try:
        text = _without_mark(head)[: len(head) - 4 if len(head) == _HEAD_BYTES else None].decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
        if any("\x7f" <= letter < "\xa0" for letter in text):
            return False
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _outer_boxes(path: Path) -> set[bytes]:
    """Names of the outer boxes of a file of the mp4 family that begin in it."""
    names: set[bytes] = set()
    end, size_bytes = 0, path.stat().st_size
    with path.open("rb") as file:
        while end + 8 <= size_bytes:
            file.seek(end)
            head = file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            names.add(name)
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                break
            end += length
    return names
