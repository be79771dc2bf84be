"""The service's only page: what can be asked, made from the OpenAPI document.

It has no script, and nothing of it lies anywhere else.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

__all__ = ["overview_html"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .4rem; }
dt { font-weight: 600; }
"""


def overview_html(document: Mapping) -> str:
    """Return the page.

    Args:
        document: An OpenAPI document.
    """
    title = html.escape(document["info"]["title"])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{_paragraphs(document['info']['description'])}{''.join(_operations(document))}"
        '<p>All of it, for programs: <a href="openapi.json">openapi.json</a></p>'
        "</main></body></html>"
    )


def _operations(document: Mapping) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
            yield _paragraphs(operation["description"])
            parameters = [
                (f"?{one['name']}=", one.get("description", ""))
                for one in operation.get("parameters", ())
            ]
            yield _list("Options", parameters)
            answers = [(code, one["description"]) for code, one in operation["responses"].items()]
            yield _list("Answers", answers)


def _list(head: str, pairs: list[tuple[str, str]]) -> str:
    items = (
        f"<dt><code>{html.escape(name)}</code></dt><dd>{html.escape(words)}</dd>"
        for name, words in pairs
    )
    return f"<h3>{head}</h3><dl>{''.join(items)}</dl>" if pairs else ""


def _paragraphs(text: str) -> str:
    """Return text as HTML: indented paragraphs are code."""
    parts = []
    for block in text.split("\n\n"):
        words = html.escape(block.strip("\n"))
        parts.append(f"<pre>{words}</pre>" if block.startswith("    ") else f"<p>{words}</p>")
    return "".join(parts)
