"""What a network costs: time per input or clip, size on disk, time per training picture."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnxruntime

from emorec.features.face import FACE_SIZE_PX
from emorec.networks.layers import fold_standardization
from emorec.paths import MODELS
from emorec.posteriors import log_mean
from emorec.training import voice as voice_training
from emorec.training.fit import save_network

_ROUNDS = 30
TRAINING_STEPS = 6


def fastest_ms(
    work: Callable[[], object],
    rounds: int = _ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the shortest duration of `work`: what it costs when nothing else runs.

    Args:
        work: What is timed.
        rounds: How often.
        clock: Gives seconds; the processor's own where the machine is busy with other things.
    """
    took = []
    for _ in range(rounds):
        start = clock()
        work()
        took.append(1000 * (clock() - start))
    return min(took)


def one_thread_session(file: Path) -> onnxruntime.InferenceSession:
    """Load a network of one input into ONNX Runtime, on one thread as the recogniser does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, inputs: np.ndarray) -> list[np.ndarray]:
    """Return a network's outputs for its one input, float32."""
    return session.run(None, {session.get_inputs()[0].name: inputs})


def face_ms_and_size(network: keras.Model) -> tuple[float, float]:
    """Return ms per single face in ONNX Runtime on one thread, and the file's megabytes.

    Args:
        network: In float32, from (batch, 48, 48, 1); with one output.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder), network)
        file = Path(folder, "model.onnx")
        face = np.zeros((1, FACE_SIZE_PX, FACE_SIZE_PX, 1), np.float32)
        took_ms = fastest_ms(partial(run, one_thread_session(file), face))
        return took_ms, file.stat().st_size / 1e6


def training_ms_per_picture(
    network: keras.Model, batch_size: int = 64, steps: int = TRAINING_STEPS
) -> float:
    """Return processor ms that one training step takes for each picture of its batch.

    Args:
        network: From (batch, 48, 48, 1) to (batch, classes), compiled here.
        batch_size: Pictures per step.
        steps: The fastest of so many is taken.
    """
    network.compile(keras.optimizers.AdamW(1e-4), "categorical_crossentropy", jit_compile=False)
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(batch_size, FACE_SIZE_PX, FACE_SIZE_PX, 1)).astype(np.float32)
    targets = np.eye(network.output_shape[-1], dtype=np.float32)[
        rng.integers(network.output_shape[-1], size=batch_size)
    ]
    network.train_on_batch(faces, targets)  # traces the graph
    step = partial(network.train_on_batch, faces, targets)
    return fastest_ms(step, steps, clock=time.process_time) / batch_size


def measure_costs(
    trained: keras.Model, fresh: keras.Model, steps: int = TRAINING_STEPS
) -> dict[str, float]:
    """Return ms per face and megabytes of `trained`, training ms per picture of `fresh`.

    Args:
        trained: In float32.
        fresh: The same network as it is trained, a copy: a few steps are trained on noise.
        steps: How many.
    """
    took_ms, megabytes = face_ms_and_size(trained)
    return {
        "ms_per_face_onnx": round(took_ms, 3),
        "onnx_megabytes": round(megabytes, 2),
        "training_ms_per_picture": round(training_ms_per_picture(fresh, steps=steps), 2),
    }


def time_models(models: Path = MODELS) -> dict[str, float]:
    """Measure how long each committed network takes for one input: a window, or a face.

    Returns:
        Folder -> ms, the fastest of some rounds with ONNX Runtime on one thread.
    """
    found = {}
    for file in sorted((*models.glob("*/model.onnx"), *models.glob("alternatives/*/model.onnx"))):
        session = one_thread_session(file)
        shape = [n if isinstance(n, int) else 1 for n in session.get_inputs()[0].shape]
        took_ms = fastest_ms(partial(run, session, np.zeros(shape, np.float32)))
        found[file.parent.name] = round(took_ms, 2)
    return found


def ms_per_clip(network: keras.Model, sound: np.ndarray, rounds: int = 15) -> float:
    """Return milliseconds from a take's samples to its posterior with ONNX Runtime on one core.

    Args:
        network: Trained.
        sound: float32 mono at 16 kHz.
        rounds: The fastest of so many is taken.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder), fold_standardization(network))
        session = one_thread_session(Path(folder) / "model.onnx")

    def read_clip() -> np.ndarray:
        inputs, weights, _ = voice_training.windows_of([sound])
        return log_mean(run(session, inputs)[0], weights)

    return fastest_ms(read_clip, rounds)
