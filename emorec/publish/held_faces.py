"""The table in `docs/clips.md` of faces as people hold them, from the committed study."""

from __future__ import annotations

import json
from pathlib import Path

from emorec.analysis.held_faces import read_evidence

__all__ = ["held_faces_page"]

_SHOWN = {
    "as it is": "as it is",
    "turned by 15 degrees": "turned by 15 degrees",
    "turned by 30 degrees": "30 degrees",
    "turned by 60 degrees": "60 degrees",
    "turned by 90 degrees": "90 degrees",
    "turned by 180 degrees": "180 degrees",
    "face 20 % of 720 lines": "small: 20 % of the picture's height",
    "face 8 % of 720 lines": "8 %",
    "face 5 % of 720 lines": "5 %",
    "half out": "half out of the picture",
    "a tenth of the light": "a tenth of the light",
    "three times the light": "three times the light",
}


def held_faces_page(folder: Path) -> str:
    """Return what `docs/clips.md` says of turned, small and hidden faces.

    Args:
        folder: Of the evidence of `emorec.analysis.held_faces`.
    """
    summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    table = 100 * read_evidence(folder)
    lines = [
        "| the face is | found by the cascade alone, % of frames | with the second look | "
        "same verdict as upright, % of clips |",
        "|---|---|---|---|",
    ]
    for change, title in _SHOWN.items():
        row = table.loc[change]
        before, after = row["found", "before"], row["found", "after"]
        same = row["same_verdict_with_sound", "after"]
        lines.append(f"| {title} | {before:.0f} | **{after:.0f}** | {same:.0f} |")
    films, faceless = summary["found_from_films"], summary["faceless_frames_with_a_face"]
    lines += [
        "",
        f"{summary['clips']} real clips, changed and read again, their sound as it was; of "
        f"{films['pictures']} faces from films, each in a wider frame, {films['before']:.0%} were "
        f"found before and {films['after']:.0%} are now; of frames without a face, made to tempt, "
        f"a face is seen in {faceless['after']:.0%}.",
    ]
    return "\n".join(lines)
