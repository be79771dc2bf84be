"""Which model is meant: a folder, or a name in the models' folder."""

import json
from pathlib import Path

from emorec.engines import ModelError

__all__ = ["find_voice_model", "voice_models"]

_WEIGHTS = ("model.onnx", "model.keras")


def voice_models(models: Path) -> list[str]:
    """List the names of the voice models in a models' folder that can be loaded, sorted."""
    return sorted(
        file.parent.name
        for file in Path(models).glob("*/model.json")
        if _stream(file) == "voice" and any((file.parent / name).exists() for name in _WEIGHTS)
    )


def find_voice_model(name: str | Path, models: Path) -> Path:
    """Return the folder of a voice model.

    Args:
        name: The folder, or its name in `models`.
        models: The models' folder.

    Raises:
        ModelError: If neither is there; it lists those there are.
    """
    for folder in (Path(name), Path(models) / name):
        if (folder / "model.json").exists():
            return folder
    there = voice_models(models)
    if (Path(models) / name / "metrics.json").exists():
        reason = "its evidence is there, and no model that could be loaded"
    else:
        reason = f"there is no voice model of this name in {models}"
    remedy = f"choose from {', '.join(there)}" if there else "name the models' folder with --models"
    raise ModelError(name, reason, remedy)


def _stream(file: Path) -> str:
    try:
        return json.loads(file.read_text(encoding="utf-8"))["stream"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
