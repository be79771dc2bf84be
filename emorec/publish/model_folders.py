"""What lies where in `Models/`: what ships, what can be chosen instead, what was compared."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from emorec.evaluation.evidence import Evidence
from emorec.paths import ALTERNATIVES, COMPARISONS, REPOSITORY
from emorec.publish.notebook_table import Notebook

__all__ = ["folders_page"]

_MODULE = re.compile(r"python -m (emorec\.(?:training|experiments)\.([\w.]+))")
_HEAD = "| model | stream | accuracy % (95 %) | made by | explained in |\n|---|---|---|---|---|"


def folders_page(found: Iterable[Evidence], models: Path, notebooks: Iterable[Notebook]) -> str:
    """Return a table of what ships, one of the alternatives and one of the comparisons.

    Args:
        found: The evidence of `models`; further tables of a folder are left to the methods' table.
        models: The folder `Models`.
        notebooks: Those that may explain a folder.

    Returns:
        Markdown, with links from `Models/README.md`; parts that are empty are left out.
    """
    notebooks = list(notebooks)
    main = [evidence for evidence in found if not evidence.key]
    shipped = [evidence for evidence in main if evidence.is_shipped]
    chosen = [e for e in main if e.place.startswith(f"{ALTERNATIVES.name}/")]
    parts = []
    if shipped:
        title = '### What ships: `Recognizer.load("Models")` loads these folders'
        parts.append(f"{title}\n\n{_model_table(shipped, notebooks)}")
    if chosen:
        title = "### Alternatives: `--voice-model NAME` loads one instead of the voice that ships"
        parts.append(f"{title}\n\n{_model_table(chosen, notebooks)}")
    if (models / COMPARISONS.name).is_dir():
        title = "### Comparisons: evidence without weights, one folder a question"
        parts.append(f"{title}\n\n{_comparison_table(main, models, notebooks)}")
    return "\n\n".join(parts)


def _model_table(found: list[Evidence], notebooks: list[Notebook]) -> str:
    rows = [_HEAD]
    for evidence in found:
        page = "MODEL_CARD.md" if evidence.has_card else ""
        cells = (
            f"[`{evidence.folder.name}`]({evidence.place}/{page}) {evidence.title}",
            evidence.stream or "–",
            evidence.in_words().replace(" %", "", 1),
            _target(evidence.metrics["command"]),
            _explained_in(evidence.place, notebooks),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _comparison_table(found: list[Evidence], models: Path, notebooks: list[Notebook]) -> str:
    rows = ["| folder | compares | models | made by | explained in |", "|---|---|---|---|---|"]
    for folder in sorted(path for path in (models / COMPARISONS.name).iterdir() if path.is_dir()):
        place = folder.relative_to(models).as_posix()
        own = [evidence for evidence in found if evidence.place.startswith(f"{place}/")]
        by_module: dict[str, list[Evidence]] = {}
        for evidence in own:
            by_module.setdefault(_module(evidence.metrics["command"]), []).append(evidence)
        # A question that leaves trials and no predictions names its folder after its module.
        for module, models_of in (by_module or {_named_after(folder.name): []}).items():
            links = [f"[{e.folder.name}]({e.place}/)" for e in models_of]
            cells = (
                f"[`{place}`]({place}/)",
                _first_line(module) or "–",
                ", ".join(links) or "–",
                _target(f"python -m emorec.{module}"),
                _explained_in(place, notebooks),
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _named_after(name: str) -> str:
    """Return the module of a folder's name: an analysis, a benchmark, or else an experiment."""
    package = REPOSITORY / "emorec"
    wings = (w for w in ("analysis", "benchmarks") if (package / w / f"{name}.py").exists())
    return f"{next(wings, 'experiments')}.{name}"


def _module(command: str) -> str:
    """Return the module that a command runs, without the package; empty for another command."""
    match = _MODULE.search(command)
    return match[1].removeprefix("emorec.") if match else ""


def _target(command: str) -> str:
    """Return the make target of what a command runs; the command itself where there is none."""
    wing, _, name = _module(command).partition(".")
    if not name:
        return f"`{command}`"
    return f"`make {'train' if wing == 'training' else 'experiment'}-{name}`"


def _first_line(module: str) -> str:
    """Return what a module says of itself in its first line, read without importing it."""
    file = REPOSITORY / "emorec" / f"{module.replace('.', '/')}.py"
    if not file.exists():
        return ""
    words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return words.split("\n")[0].rstrip(".")


def _explained_in(place: str, notebooks: list[Notebook]) -> str:
    links = [f"[{n.number}](../notebooks/{n.path.name})" for n in notebooks if place in n.models]
    return ", ".join(links) or "–"
