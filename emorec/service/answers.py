"""The forms of what the service answers, beside the results', which have a schema of their own."""

# No `from __future__ import annotations`: Pydantic looks at the annotations.

import json
from collections.abc import Mapping
from importlib import resources

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

__all__ = ["RESULTS", "Health", "Model", "Models", "Problem", "problem", "result_schemas"]

RESULTS = "Results"
"""Name of the results' schema in the OpenAPI document."""


class Problem(BaseModel):
    """Why something was not done."""

    reason: str = Field(description="What is wrong.", min_length=1)
    remedy: str = Field(description="What helps.", min_length=1)


class Health(BaseModel):
    """That the service is there."""

    status: str = Field(description='"ok".', pattern="^ok$")
    emorec: str = Field(description="Version of the program.")
    waiting: int = Field(description="How many clips wait to be read.", ge=0)


class Model(BaseModel):
    """One of the models that judge."""

    part: str = Field(description="Stream that it reads, or fusion.")
    name: str = Field(description="Its folder in the models' folder.")
    classes: list[str] = Field(description="The emotions that it tells apart.")
    fingerprint: str = Field(description="Of its files; tells one version from another.")


class Models(BaseModel):
    """What judges, and what is to be known of it."""

    emorec: str = Field(description="Version of the program.")
    models: list[Model]
    notes: list[str] = Field(description="What a reader of every result should know.")


def problem(
    status: int, reason: str, remedy: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an answer that says why something was not done."""
    return JSONResponse({"reason": reason, "remedy": remedy}, status, headers)


def result_schemas() -> dict[str, dict]:
    """Return the schemas of results for an OpenAPI document, by name.

    They are those of `emorec/report/result.schema.json`, which OpenAPI takes as it is but for where
    its parts lie.
    """
    text = (resources.files("emorec.report") / "result.schema.json").read_text("utf-8")
    schema = json.loads(text.replace('"#/$defs/', f'"#/components/schemas/{RESULTS}-'))
    parts = {f"{RESULTS}-{name}": part for name, part in schema.pop("$defs").items()}
    del schema["$schema"]  # a document has one dialect, and this is OpenAPI's
    return {RESULTS: schema, **parts}
