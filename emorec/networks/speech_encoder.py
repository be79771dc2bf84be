"""A pre-trained speech encoder (wav2vec 2.0, WavLM) as the voice's ears.

Sound at 16 kHz goes through the encoder; mean and deviation over time of every layer's output are
blended with learned weights (Yang et al. 2021, SUPERB; Pepino, Riera & Ferrer 2021 for emotion),
and a small head tells the emotions apart. `emorec.experiments.speech_encoder` trains it.

Needs the extra `emorec[pretrained]`, PyTorch and transformers, when called, not when imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from emorec import files
from emorec.emotions import RAVDESS8
from emorec.errors import EmorecError, MissingPartError
from emorec.features import voice as voice_features

if TYPE_CHECKING:
    import torch

SAMPLE_RATE_HZ = 16_000
ENCODER = "facebook/wav2vec2-base"
"""The default: 95 M parameters, published as safetensors (Baevski et al. 2020)."""

# Shorter sound than this gives the encoder's convolutions too little for one frame of output.
_SHORTEST_SAMPLES = 800


class EncoderUnavailableError(EmorecError):
    """An encoder whose weights are neither here nor reachable, or that cannot serve."""


def require(name: str) -> ModuleType:
    """Import a module of the optional extra.

    Raises:
        MissingPartError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPartError(name, "pretrained") from error


@dataclass(frozen=True)
class SpeechEncoder:
    """A network that reads sound.

    Attributes:
        name: Where its weights are from.
        network: Of transformers: from (batch, samples) to hidden states.
        is_input_standardised: Whether it wants zero mean and unit variance of each sound.
    """

    name: str
    network: torch.nn.Module
    is_input_standardised: bool

    @property
    def layers(self) -> int:
        """Number of hidden states: the input of the first layer, and the output of each."""
        return self.network.config.num_hidden_layers + 1


def load_encoder(name: str | Path = ENCODER) -> SpeechEncoder:
    """Load an encoder's weights, fetching them where they are not kept already.

    Only safetensors are read, never a pickle. WavLM's own repository may offer none: then convert
    it once where it is trusted (`save_pretrained` writes safetensors) and give the folder.

    Args:
        name: Name on the Hugging Face hub, or a folder that `save_pretrained` wrote.

    Raises:
        MissingPartError: If the extra is not installed.
        EncoderUnavailableError: If there is no such folder and the hub cannot be reached, or has
            no safetensors of it.
    """
    require("torch")
    transformers = require("transformers")
    try:
        network = transformers.AutoModel.from_pretrained(str(name), use_safetensors=True)
        setting = transformers.AutoFeatureExtractor.from_pretrained(str(name))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise EncoderUnavailableError(
            name,
            f"no weights of this encoder here, and none could be fetched ({reason})",
            "run this once where the Hugging Face hub can be reached, which keeps them, or give a "
            "folder that holds config.json, preprocessor_config.json and model.safetensors",
        ) from error
    if setting.sampling_rate != SAMPLE_RATE_HZ:
        raise EncoderUnavailableError(
            name,
            f"it reads sound at {setting.sampling_rate} Hz, not {SAMPLE_RATE_HZ}",
            "choose a wav2vec 2.0, HuBERT or WavLM encoder",
        )
    return SpeechEncoder(str(name), network.eval(), bool(setting.do_normalize))


def tiny_encoder(seed: int = 0) -> SpeechEncoder:
    """Make a WavLM of two small layers with random weights, which has never heard anything.

    It proves that the path works; what it finds in a voice means nothing.
    """
    torch, transformers = require("torch"), require("transformers")
    torch.manual_seed(seed)
    config = transformers.WavLMConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(24,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        mask_time_prob=0.0,
        layerdrop=0.0,
    )
    network = transformers.WavLMModel(config).eval()
    return SpeechEncoder("tiny WavLM, random weights", network, is_input_standardised=True)


def build_classifier(
    encoder: SpeechEncoder,
    classes: int = len(RAVDESS8),
    *,
    hidden_units: int = 256,
    dropout: float = 0.3,
    seed: int = 1,
) -> torch.nn.ModuleDict:
    """Put a head on an encoder.

    By hand, though transformers has `AutoModelForAudioClassification` with layer weights: that one
    pools the mean alone, and the deviation over time tells emotions too.

    Args:
        encoder: Not copied: fine-tuning changes it.
        classes: What the head tells apart.
        hidden_units: Width of the head.
        dropout: Share of the head's units that training drops.
        seed: Of the head's initial weights.

    Returns:
        Modules `encoder`, `layer_weights` (one logit for each hidden state) and `head`.
    """
    torch = require("torch")
    torch.manual_seed(seed)
    nn = torch.nn
    features = 2 * encoder.network.config.hidden_size
    head = nn.Sequential(
        nn.LayerNorm(features),
        nn.Linear(features, hidden_units),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden_units, classes),
    )
    weights = nn.ParameterList([nn.Parameter(torch.zeros(encoder.layers))])
    return nn.ModuleDict({"encoder": encoder.network, "layer_weights": weights, "head": head})


def prepare(encoder: SpeechEncoder, samples: np.ndarray) -> np.ndarray:
    """Return the sound as the encoder wants it: not too short, and standardised if it asks so.

    Args:
        encoder: Says what it wants.
        samples: float32 mono at 16 kHz, (n,).
    """
    samples = voice_features.fit_length(samples, max(len(samples), _SHORTEST_SAMPLES))
    if encoder.is_input_standardised:
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return samples.astype(np.float32)


def layer_statistics(network: torch.nn.Module, sounds: torch.Tensor) -> torch.Tensor:
    """Return mean and deviation over time of each hidden state.

    Args:
        network: The encoder.
        sounds: (batch, samples), float32, prepared.

    Returns:
        (batch, layers, 2 * hidden size), float32.
    """
    torch = require("torch")
    states = torch.stack(network(sounds, output_hidden_states=True).hidden_states, 1)
    deviation = (states.var(2, unbiased=False) + 1e-5).sqrt()
    return torch.cat([states.mean(2), deviation], -1)


def encode(encoder: SpeechEncoder, sounds: Sequence[np.ndarray]) -> np.ndarray:
    """Return the statistics of whole takes, one by one: none is padded to another's length.

    Args:
        encoder: Frozen.
        sounds: float32 mono at 16 kHz, (n,) each.

    Returns:
        float32 (takes, layers, 2 * hidden size).
    """
    torch = require("torch")
    encoder.network.eval()
    device = next(encoder.network.parameters()).device
    found = []
    with torch.inference_mode():
        for samples in sounds:
            sound = torch.from_numpy(prepare(encoder, samples)).to(device)
            found.append(layer_statistics(encoder.network, sound[None])[0].cpu().numpy())
    return np.stack(found)


def logits(classifier: torch.nn.ModuleDict, statistics: torch.Tensor) -> torch.Tensor:
    """Blend the layers' statistics and classify them.

    Args:
        classifier: From `build_classifier`.
        statistics: (batch, layers, features).

    Returns:
        (batch, classes).
    """
    share = classifier["layer_weights"][0].softmax(0)
    return classifier["head"]((share[:, None] * statistics).sum(1))


def posteriors(classifier: torch.nn.ModuleDict, statistics: np.ndarray) -> np.ndarray:
    """Return the posterior of each take, float (takes, classes).

    Args:
        classifier: Trained.
        statistics: (takes, layers, features), from `encode` with the encoder as it is now.
    """
    torch = require("torch")
    classifier.eval()
    device = classifier["layer_weights"][0].device
    with torch.inference_mode():
        inputs = torch.from_numpy(np.asarray(statistics, np.float32)).to(device)
        return logits(classifier, inputs).softmax(-1).double().cpu().numpy()


def save_trained(file: Path, classifier: torch.nn.ModuleDict) -> None:
    """Write what was trained - head, layers' weights, top layers if any - as safetensors."""
    safetensors = require("safetensors.torch")
    trained = {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in classifier.named_parameters()
        if parameter.requires_grad
    }
    files.write_atomically(Path(file), lambda name: safetensors.save_file(trained, name))


def load_trained(file: Path, classifier: torch.nn.ModuleDict) -> torch.nn.ModuleDict:
    """Give a newly built classifier the weights that `save_trained` wrote.

    Raises:
        ValueError: If the file was written for another classifier.
    """
    trained = require("safetensors.torch").load_file(str(file))
    own = classifier.state_dict()
    odd = [n for n, t in trained.items() if n not in own or own[n].shape != t.shape]
    if odd:
        raise ValueError(
            f"{file}: holds weights of another classifier ({', '.join(odd[:3])}). Remedy: build "
            "the classifier on the encoder and with the classes that it was trained with."
        )
    classifier.load_state_dict(trained, strict=False)
    return classifier
