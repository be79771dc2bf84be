"""`make demo`: run the demo notebook on the clips in DEMO/Examples and show the table.

python -m emorec.publish.demo_notebook
"""

import argparse
import copy
import csv
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from emorec.files import write_atomically
from emorec.paths import REPOSITORY
from emorec.report.terminal import Line, print_lines

NOTEBOOK = REPOSITORY / "DEMO" / "ER_FullClip_DEMO.ipynb"

# On a phone a name is cut, not broken at each hyphen; what does not fit is scrolled to.
_PAGE_STYLE = """<style>
table td:first-child{white-space:nowrap}
@media (max-width:600px){
 table.dataframe,table[id^=T_]{font-size:11px}
 table[id^=T_] td,table[id^=T_] th{padding:.3em .35em!important}
 table[id^=T_] td:first-child{max-width:9em;overflow:hidden;text-overflow:ellipsis}
}
</style>"""
_PLAYER_LINK = re.compile(r'(<(?:video|audio)\b[^>]* src=")\./')


class _Telling(NotebookClient):
    """Shows what cells tell on the standard error, a progress bar for one, while they run."""

    def process_message(self, msg: dict, cell: nbformat.NotebookNode, cell_index: int):
        """Show a message and let it be kept as usual."""
        if msg["msg_type"] == "stream" and msg["content"]["name"] == "stderr":
            sys.stderr.write(msg["content"]["text"])
            sys.stderr.flush()
        return super().process_message(msg, cell, cell_index)


def run_notebook(notebook: Path, results_folder: Path) -> None:
    """Execute a notebook where it stands; leave it, run, and as HTML in `results_folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    content = nbformat.read(notebook, as_version=4)
    work = {"metadata": {"path": str(notebook.parent)}}
    # What libraries write past Python, TensorFlow's start-up messages, would bury the table; errors
    # are raised all the same.
    own = ["--IPKernelApp.capture_fd_output=False"]
    client = _Telling(
        content, timeout=None, kernel_name="python3", resources=work, extra_arguments=own
    )
    client.execute(stderr=subprocess.DEVNULL)
    move_links(content)
    title = {"metadata": {"name": "emorec: the clips in DEMO/Examples"}}
    exporter = HTMLExporter(exclude_input=True)
    page, _ = exporter.from_notebook_node(for_reading(content), resources=title)
    write_atomically(results_folder / notebook.name, lambda name: nbformat.write(content, name))
    write_atomically(
        results_folder / f"{notebook.stem}.html",
        lambda name: Path(name).write_text(page, encoding="utf-8"),
    )


def for_reading(content: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy that shows what was found, verdicts first, and not how it was found."""
    shown = without_messages(content)
    first = next(
        (i for i, cell in enumerate(shown.cells) if cell.source.startswith("## All verdicts")), 0
    )
    told = shown.cells[0].source.split("\n\n")
    head = [part for part in told if part.startswith(("# ", "**Data.**"))]
    style = nbformat.v4.new_markdown_cell(_PAGE_STYLE)
    shown.cells[:first] = [nbformat.v4.new_markdown_cell("\n\n".join(head)), style]
    return shown


def without_messages(content: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy without progress bars and the libraries' start-up messages."""
    shown = copy.deepcopy(content)
    for cell in shown.cells:
        if "outputs" in cell:
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return shown


def move_links(content: nbformat.NotebookNode) -> None:
    """Let the players of an executed notebook find their clips from the folder below."""
    for cell in content.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html")
            if html is not None:
                output.data["text/html"] = _PLAYER_LINK.sub(r"\1../", html)


def main() -> None:
    """Run the demo and print what it found."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    results = NOTEBOOK.parent / "Results"
    results.mkdir(exist_ok=True)
    where = f"{NOTEBOOK.parent.name}/Examples"
    print(f"Reading the clips in {where}, and drawing them: a minute or two ...", file=sys.stderr)
    run_notebook(NOTEBOOK, results)
    with (results / "results.csv").open(newline="", encoding="utf-8") as file:
        lines = [Line.of_row(row) for row in csv.DictReader(file)]
    print_lines(lines)
    if not lines:
        print("no clips")
    print(f"\nPage with plots: {(results / NOTEBOOK.stem).relative_to(REPOSITORY)}.html")


if __name__ == "__main__":
    main()
