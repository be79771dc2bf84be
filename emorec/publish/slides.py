"""The project in slides: `Other/Project_Slides.pdf`, numbers read from the committed evidence.

python -m emorec.publish.slides

Drawn with matplotlib alone; the pages are in `slide_pages` and `slide_results`. The speaker's
notes are notes of the
PDF's pages, and stand in `Other/Project_Slides.md`, too. The same evidence gives the same bytes: no
date and no version of a program is written into the file.
"""

import argparse
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.backends.backend_pdf import PdfPages

from emorec.evaluation import plots
from emorec.evaluation.evidence import load_evidence
from emorec.files import write_atomically
from emorec.paths import REPOSITORY
from emorec.publish.slide_layout import STYLE, Slide, Story
from emorec.publish.slide_pages import PAGES

PATH = REPOSITORY / "Other" / "Project_Slides.pdf"
_TITLE = "Reading emotion from voice and face"
_BESIDE = (-100, -100, 0, 0)  # where a note's mark is not seen


@contextmanager
def drawn(root: Path = REPOSITORY) -> Iterator[list[Slide]]:
    """Draw all slides; they are closed in the end."""
    story = Story({evidence.name: evidence for evidence in load_evidence(root / "Models")}, root)
    with plt.style.context([*plots.FIXED_STYLE, STYLE]):
        slides = [page(story) for page in PAGES]
        try:
            yield slides
        finally:
            for slide in slides:
                plt.close(slide.figure)


def notes_page(slides: list[Slide]) -> str:
    """Return what the speaker says, in Markdown."""
    parts = ["# What to say to the slides", "<!-- Made by `make slides`. -->"]
    for number, slide in enumerate(slides, 1):
        parts += [f"## {number}. {slide.title}", textwrap.fill(slide.notes, 100)]
    return "\n\n".join(parts) + "\n"


def write(slides: list[Slide], path: Path) -> None:
    """Write slides as PDF, and their notes in Markdown beside it."""
    facts = {"CreationDate": None, "Creator": None, "Producer": None, "Title": _TITLE}

    def write_pages(name: str) -> None:
        with PdfPages(name, metadata=facts) as pdf:
            for slide in slides:
                pdf.attach_note(slide.notes, positionRect=_BESIDE)
                pdf.savefig(slide.figure, dpi=110)

    write_atomically(path, write_pages)
    text = notes_page(slides)
    write_atomically(
        path.with_suffix(".md"), lambda name: Path(name).write_text(text, encoding="utf-8")
    )


def build(root: Path = REPOSITORY, path: Path = PATH) -> Path:
    """Write the slides from the evidence and the plots that `make results` made of it."""
    with drawn(root) as slides:
        write(slides, path)
    return path


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    print(build())
