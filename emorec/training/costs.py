"""What a network for still faces costs: time per face, size on disk, time per training picture."""

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
_TRAINING_STEPS = 6


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


def face_ms_and_size(network: keras.Model) -> tuple[float, float]:
    """Return ms per single face in ONNX Runtime on one thread, and the file's megabytes.

    Args:
        network: In float32, from (batch, 48, 48, 1); with one output.
    """
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder), network)
        file = Path(folder, "model.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        wanted = session.get_inputs()[0].name
        face = np.zeros((1, FACE_SIZE_PX, FACE_SIZE_PX, 1), np.float32)
        took_ms = fastest_ms(lambda: session.run(None, {wanted: face}))
        return took_ms, file.stat().st_size / 1e6


def training_ms_per_picture(network: keras.Model, batch_size: int = 64) -> float:
    """Return processor ms that one training step takes for each picture of its batch.

    Args:
        network: From (batch, 48, 48, 1) to (batch, classes), compiled here.
        batch_size: Pictures per step.
    """
    network.compile(keras.optimizers.AdamW(1e-4), "categorical_crossentropy", jit_compile=False)
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(batch_size, FACE_SIZE_PX, FACE_SIZE_PX, 1)).astype(np.float32)
    targets = np.eye(network.output_shape[-1], dtype=np.float32)[
        rng.integers(network.output_shape[-1], size=batch_size)
    ]
    network.train_on_batch(faces, targets)  # traces the graph
    step = partial(network.train_on_batch, faces, targets)
    return fastest_ms(step, _TRAINING_STEPS, clock=time.process_time) / batch_size


def measure_costs(trained: keras.Model, fresh: keras.Model) -> dict[str, float]:
    """Return ms per face and megabytes of `trained`, training ms per picture of `fresh`.

    Args:
        trained: In float32.
        fresh: The same network as it is trained, a copy: a few steps are trained on noise.
    """
    took_ms, megabytes = face_ms_and_size(trained)
    return {
        "ms_per_face_onnx": round(took_ms, 3),
        "onnx_megabytes": round(megabytes, 2),
        "training_ms_per_picture": round(training_ms_per_picture(fresh), 2),
    }


_ROUNDS = 30


def time_models(models: Path = MODELS) -> dict[str, float]:
    """Measure how long each committed network takes for one input: a window, or a face.

    Returns:
        Folder -> ms, the median of some rounds with ONNX Runtime on one thread.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found = {}
    for file in sorted((*models.glob("*/model.onnx"), *models.glob("alternatives/*/model.onnx"))):
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        inputs = session.get_inputs()[0]
        shape = [n if isinstance(n, int) else 1 for n in inputs.shape]
        example = {inputs.name: np.zeros(shape, np.float32)}
        session.run(None, example)
        taken_s = []
        for _ in range(_ROUNDS):
            start_s = time.perf_counter()
            session.run(None, example)
            taken_s.append(time.perf_counter() - start_s)
        found[file.parent.name] = round(1000 * float(np.median(taken_s)), 2)
    return found


def ms_per_clip(network: keras.Model, sound: np.ndarray, rounds: int = 15) -> float:
    """Return milliseconds from a take's samples to its posterior with ONNX Runtime on one core.

    Args:
        network: Trained.
        sound: float32 mono at 16 kHz.
        rounds: The best of so many is taken.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder), fold_standardization(network))
        session = onnxruntime.InferenceSession(Path(folder) / "model.onnx", options)
    name = session.get_inputs()[0].name
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        inputs, weights, _ = voice_training.windows_of([sound])
        (posteriors,) = session.run(None, {name: inputs})
        log_mean(posteriors, weights)
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)
