"""The models' folder: which model serves which stream, loaded and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from emorec.engines import Network, load_network, with_embedding
from emorec.errors import OTHER_FORM, ModelError
from emorec.files import fingerprint
from emorec.fusion import LogLinearFusion
from emorec.streams.face import FaceStream
from emorec.streams.geometry import GeometryStream
from emorec.streams.voice import VoiceStream

__all__ = [
    "FIT_AGAIN",
    "MODEL_FOLDERS",
    "find_voice_model",
    "fingerprints",
    "load_for",
    "load_fusion",
    "places",
    "voice_models",
    "with_embeddings",
]

MODEL_FOLDERS = {"voice": "voice_encoder", "face": "face_cnn", "geometry": "geometry"}
"""Which model of the models' folder serves which stream."""

STREAM_CLASSES: dict[str, type[VoiceStream | FaceStream | GeometryStream]] = {
    "voice": VoiceStream,
    "face": FaceStream,
    "geometry": GeometryStream,
}

_NAME_THE_FOLDER = f"name the one that holds {', '.join(MODEL_FOLDERS.values())} and fusion"
FIT_AGAIN = "fetch the file from the repository again, or run the fusion's notebook"


def places(folder: Path, voice_model: str | Path) -> tuple[dict[str, Path], Path, list[str]]:
    """Return each stream's folder, the fusion's file, and what is to be said about them.

    Args:
        folder: The models' folder.
        voice_model: Another voice model than the shipped one: name or folder.

    Raises:
        ModelError: When a folder is not there.
    """
    if not folder.is_dir():
        raise ModelError(folder, "there is no such folder of models", _NAME_THE_FOLDER)
    folders = {stream: folder / name for stream, name in MODEL_FOLDERS.items()}
    fusion_file = folder / "fusion" / "fusion.json"
    if not voice_model:
        return folders, fusion_file, []
    own = find_voice_model(voice_model, folder)
    fusion_file, notes = _fusion_beside(own, folders["voice"], fusion_file)
    return {**folders, "voice": own}, fusion_file, notes


def _fusion_beside(own: Path, shipped: Path, fusion_file: Path) -> tuple[Path, list[str]]:
    """Return the fusion that fits a voice model, and what is to be said about it."""
    if own.resolve() == shipped.resolve():
        return fusion_file, []
    if (own / "fusion.json").exists():
        return own / "fusion.json", []
    note = f"the fusion's weights were fitted for {shipped.name}, and {own.name} borrows them"
    return fusion_file, [note]


def _files_of(folder: Path) -> list[Path]:
    """Return the files that make a network what it is."""
    weights = (folder / name for name in ("model.onnx", "model.keras"))
    return [folder / "model.json", *[file for file in weights if file.exists()][:1]]


def load_for(stream: str, folder: Path, engine: str) -> Network:
    """Load a network and make sure that it reads what its stream feeds it.

    Raises:
        ModelError: When it does not.
    """
    network = load_network(folder, engine)
    if network.spec.stream != stream:
        reason = f"it describes a model of the stream {network.spec.stream!r}, not {stream!r}"
        raise ModelError(folder / "model.json", reason)
    try:
        is_accepted = STREAM_CLASSES[stream].accepts(network)
    except ValueError as error:
        raise ModelError(folder / "model.json", str(error)) from error
    if not is_accepted:
        shape = "x".join("any" if n is None else str(n) for n in network.input_shape)
        raise ModelError(folder, f"it is another model: its input is {shape}")
    return network


def with_embeddings(networks: Mapping[str, Network], streams: tuple[str, ...]) -> dict:
    """Return networks of which those of voice and face give embeddings, where they are asked for.

    Raises:
        ModelError: When one of them hands out none.
    """
    asked = [stream for stream in ("voice", "face") if stream in streams]
    return {**networks, **{stream: with_embedding(networks[stream]) for stream in asked}}


def load_fusion(path: Path) -> LogLinearFusion:
    """Read the fusion, or say what is wrong with its file.

    Raises:
        ModelError: When it is absent, broken, or lacks a stream.
    """
    try:
        fusion = LogLinearFusion.from_json(path)
    except FileNotFoundError as error:
        raise ModelError(path, "there is no such file", FIT_AGAIN) from error
    except (OSError, ValueError) as error:
        raise ModelError(path, f"it cannot be read ({error})", FIT_AGAIN) from error
    missing = [stream for stream in MODEL_FOLDERS if stream not in fusion.calibrations]
    if missing:
        raise ModelError(path, f"it knows nothing of the {' and '.join(missing)}", FIT_AGAIN)
    return fusion


def fingerprints(folder: Path, voice_model: str | Path) -> dict[str, str]:
    """Stream or "fusion" -> fingerprint of its files; tells one version from another.

    Raises:
        ModelError: When a file is there no longer.
    """
    folders, fusion_file, _ = places(folder, voice_model)
    files = {stream: _files_of(place) for stream, place in folders.items()}
    files["fusion"] = [fusion_file]
    try:
        return {part: fingerprint(of) for part, of in files.items()}
    except OSError as error:
        reason = f"it cannot be read any more ({error.strerror})"
        raise ModelError(error.filename, reason) from error


_WEIGHTS = ("model.onnx", "model.keras")


def voice_models(models: Path) -> list[str]:
    """List the names of the voice models in a models' folder that can be loaded, sorted."""
    return sorted(
        file.parent.name
        for file in (
            *Path(models).glob("*/model.json"),
            *Path(models).glob("alternatives/*/model.json"),
        )
        if _stream(file) == "voice" and _has_weights(file.parent)
    )


def find_voice_model(name: str | Path, models: Path) -> Path:
    """Return the folder of a voice model.

    Args:
        name: The folder, or its name in `models` or its `alternatives`.
        models: The models' folder.

    Raises:
        ModelError: If neither is there; it lists those there are.
    """
    places = (Path(name), Path(models) / name, Path(models) / "alternatives" / name)
    for folder in places:
        if (folder / "model.json").exists():
            return folder
    there = voice_models(models)
    reason = f"there is no voice model of this name in {models}"
    for folder in (*places, *Path(models).glob(f"comparisons/*/{name}")):
        if _has_weights(folder):
            reason = "its weights are there, and no model.json that tells how to feed them"
        elif (folder / "metrics.json").exists():
            reason = "it was trained for comparison: its evidence is kept, and no weights"
    remedy = f"choose from {', '.join(there)}" if there else "name the models' folder with --models"
    raise ModelError(name, reason, remedy)


def _has_weights(folder: Path) -> bool:
    return any((folder / name).exists() for name in _WEIGHTS)


def _stream(file: Path) -> str:
    try:
        return json.loads(file.read_text(encoding="utf-8"))["stream"]
    except (OSError, *OTHER_FORM):
        return ""
