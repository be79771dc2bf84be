"""The recogniser: a clip goes in, what voice and face say comes out, over time and as one verdict.

The streams read it (`emorec.streams.clip`), a judge joins what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from emorec import models, workers
from emorec.engines import Network
from emorec.errors import CalibrationError, MediaError, ModelError
from emorec.faces.landmarks import LandmarkPredictor
from emorec.fusion import LogLinearFusion
from emorec.media.inputs import Given, given, name_of, sendable
from emorec.media.opening import limit_threads
from emorec.media.reader import SYNTHETIC_COMMENT
from emorec.paths import default_models_folder
from emorec.result import still
from emorec.result.clip import ClipResult, Person
from emorec.speaker import people
from emorec.speaker.calibration import Speaker, get_to_know
from emorec.streams.clip import read_clip
from emorec.streams.judge import ANY_PURPOSE, ANYBODY, Judge, Purpose
from emorec.streams.windows import STREAMS

__all__ = ["Recognizer", "classify_in_worker", "loaded_in_worker"]

_NOTHING = "there is neither a voice nor a face in it"


class Recognizer:
    """Reads emotion from clips; `Recognizer.load` makes one.

    Args:
        networks: Stream name -> its network.
        fusion: Joins what the streams say.
        landmarks: Finds the landmarks that the geometry stream follows.
        origin: What `load` was told, for worker processes.
        purpose: Whose clips are judged, and by what.
        notes: What a reader of every result should know.

    Attributes:
        networks: Stream name -> its network.
        landmarks: The landmark predictor.
        judge: Joins what the streams say.
        origin: What `load` was told.
        purpose: Whose clips are judged, and by what.
    """

    def __init__(
        self,
        networks: dict[str, Network],
        fusion: LogLinearFusion,
        landmarks: LandmarkPredictor,
        origin: tuple[str, str, str],
        purpose: Purpose = ANY_PURPOSE,
        notes: Sequence[str] = (),
    ):
        self.networks = self._readers = networks
        if purpose.embeddings:
            self._readers = models.with_embeddings(networks, purpose.streams)
        self._notes = list(notes)
        self.judge = Judge(fusion, purpose.speaker)
        self.purpose = purpose
        self.origin = origin
        self.landmarks = landmarks

    @property
    def speaker(self) -> Speaker:
        """What is known of the person whose clips are judged."""
        return self.judge.speaker

    def __repr__(self) -> str:
        streams = ", ".join(self.purpose.streams)
        whose = "" if self.speaker is ANYBODY else ", calibrated on a person"
        return f"<Recognizer: {streams}{whose}>"

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        engine: str = "onnx",
        voice_model: str | Path = "",
    ) -> Recognizer:
        """Load all networks.

        Args:
            folder: The models' folder, which holds one folder for each model; by default the
                repository's `Models`, or what the installed package carries.
            engine: "onnx" (starts fast) or "keras" (runs on what the Keras backend uses).
            voice_model: Another voice model than the shipped one: its folder, or that
                folder's name in `folder`. It is fused as its own `fusion.json` says, or with
                the shipped weights, which a note then tells.

        Raises:
            MissingPartError: When a model or an engine needs a package that is not installed.
            ModelError: When a model is absent, broken or foreign.
            ValueError: When the engine is unknown.
        """
        folder = default_models_folder() if folder is None else Path(folder)
        folders, fusion_file, notes = models.places(folder, voice_model)
        networks = {s: models.load_for(s, path, engine) for s, path in folders.items()}
        fusion = models.load_fusion(fusion_file)
        origin = (str(folder), engine, str(voice_model))
        return cls(networks, fusion, LandmarkPredictor(), origin, notes=notes)

    def calibrate(self, paths: Iterable[str | Path]) -> Recognizer:
        """Get to know a speaker from a few clips; no label is needed.

        What each stream says of this person whatever happens is taken out of what it says
        later. Eight clips of mixed emotions serve well; see notebook 12 for what they gain on
        corpora that nothing was trained on. Clips of one emotion do harm; where the clips look
        alike, a note on every result says so.

        Args:
            paths: Clips of one person, and of no other.

        Returns:
            A recogniser for clips of this person; this one stays as it is.

        Raises:
            MediaError: When a clip cannot be read.
            CalibrationError: When there is neither a voice nor a face in any clip.

        Example:
            >>> Recognizer.load().calibrate(["a.mp4", "b.mp4"])  # doctest: +SKIP
        """
        plain = self._changed(speaker=ANYBODY, everybody=False, embeddings=False)
        return self.calibrated_on([plain.classify(path) for path in paths])

    def calibrated_on(self, results: Sequence[ClipResult]) -> Recognizer:
        """Get to know a speaker from clips that were read before, by a recogniser of anybody's.

        Args:
            results: Of one person's clips; see `calibrate`.

        Raises:
            CalibrationError: When there is neither a voice nor a face in any clip, or the fusion
                does not tell what is said of people at large.
        """
        if not self.judge.fusion.usual:
            reason = "it does not tell what is said of people at large"
            what = "the fusion of this voice model"
            raise CalibrationError(what, reason, models.FIT_AGAIN)
        speaker = get_to_know([clip.posteriors for clip in results], self.judge.fusion.usual)
        if not speaker.biases:
            reason = f"there is neither a voice nor a face in any of {len(results)} clips"
            remedy = "calibrate on clips in which the person speaks or is seen from the front"
            raise CalibrationError("calibration", reason, remedy)
        return self._changed(speaker=speaker)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Stream or "fusion" -> fingerprint of its files; tells one version from another.

        The engine does not count: ONNX Runtime and Keras run the same weights.

        Raises:
            ModelError: When a file is there no longer.
        """
        folder, _, voice_model = self.origin
        return models.fingerprints(Path(folder), voice_model)

    def keep_person(self, name: str, *, overwrite: bool = False) -> Path:
        """Keep what `calibrate` learned of a person, for later runs; see `emorec.speaker.people`.

        Args:
            name: What the person is called from now on.
            overwrite: Whether an earlier person of that name is forgotten.

        Returns:
            The file: a few numbers, no picture and no sound.

        Raises:
            CalibrationError: When this recogniser judges anybody's clips.
            PersonError: When the name cannot be kept, or is known already.
            OutputError: When the file cannot be written.

        Example:
            >>> Recognizer.load().calibrate(paths).keep_person("anna")  # doctest: +SKIP
        """
        if not self.speaker.biases:
            remedy = "calibrate it on a few clips of the person first, and keep what that returns"
            raise CalibrationError(name, "this recogniser knows no person", remedy)
        classes = self.judge.fusion.classes
        profile = people.Profile(name, self.speaker, self.speaker.clips, self.fingerprints, classes)
        return people.save(profile, overwrite=overwrite)

    def for_person(self, name: str) -> Recognizer:
        """Return a recogniser for the clips of a person who was kept; this one stays as it is.

        Raises:
            PersonError: When the person is not known, or was learned with other models.
        """
        profile = people.load(name)
        profile.check_models(self.fingerprints)
        return self._changed(speaker=profile.known())

    def for_everybody(self) -> Recognizer:
        """Return a recogniser that reads everybody in a clip, too; this one stays as it is.

        Its results have `people`: each face that is seen, with its own verdict, in which the voice
        counts where that person speaks. The clip's own verdict is that of the main face, as ever.

        Example:
            >>> Recognizer.load().for_everybody().classify("talk.mp4").people  # doctest: +SKIP
        """
        return self._changed(everybody=True)

    def with_embeddings(self) -> Recognizer:
        """Return a recogniser that keeps embeddings, too; this one stays as it is.

        Its results have `voice_embeddings` and `face_embeddings`: what the last layers read.

        Raises:
            ModelError: When a network hands out none, as those of another voice model.
        """
        return self._changed(embeddings=True)

    def for_streams(self, *streams: str) -> Recognizer:
        """Return a recogniser that judges by some of the streams; this one stays as it is.

        Args:
            streams: Of "voice", "face" and "geometry".

        Raises:
            ValueError: When there is none, or one is unknown.
        """
        if not streams or not set(streams) <= set(STREAMS):
            raise ValueError(f"no streams are {streams}: choose from {', '.join(STREAMS)}")
        return self._changed(streams=tuple(s for s in STREAMS if s in streams))

    def classify(self, clip: object, watch: Callable[[float], None] | None = None) -> ClipResult:
        """Read the emotion of one clip, or of every face of a picture.

        Args:
            clip: What `emorec.media.inputs.given` takes: a path, an address, bytes, a file opened
                for bytes, an `emorec.Recording`, an image of Pillow.
            watch: Called with the seconds read so far, after every piece; what it raises ends the
                work.

        Raises:
            MediaError: When it cannot be read as a clip.
        """
        with given(clip) as ready:
            if ready.picture is None:
                return self._classify(ready, watch)
            if "face" not in self.purpose.streams:
                raise MediaError(
                    name_of(clip), "in a picture only the face is read", "read it, too"
                )
            notes, face = (*self._notes, *self.speaker.notes), self._readers["face"]
            return still.read_still(ready, ready.picture, face, self.landmarks, self.judge, notes)

    def _classify(self, clip: Given, watch: Callable[[float], None] | None) -> ClipResult:
        """Read the emotion of a clip that sounds or moves."""
        streams = self.purpose.streams
        read = read_clip(
            clip.reader,
            self._readers,
            self.landmarks,
            streams=streams,
            reads_everybody=self.purpose.everybody,
            watch=watch,
        )
        origin = [SYNTHETIC_COMMENT] if read.is_synthetic else []
        notes = [*origin, *self._notes, *self.speaker.notes, *read.notes]
        if not any(read.said.values()):
            return ClipResult(
                clip.path,
                "no verdict",
                notes=notes,
                reason=_NOTHING if streams == STREAMS else f"{', '.join(streams)}: not in it",
                remedy="use a clip in which a person speaks or is seen from the front",
                duration_s=read.duration_s,
                named=clip.named,
            )
        # Of whom this recogniser knows, it is not said which of them it is.
        anybodys, seconds = Judge(self.judge.fusion, ANYBODY), read.duration_s
        people = [Person.of(i, one, anybodys, seconds) for i, one in enumerate(read.people, 1)]
        return ClipResult(
            clip.path,
            "ok",
            **self.judge.of_clip(read.said, seconds),
            notes=notes,
            faces_used=read.faces_used,
            face_track=read.picture.track.finish(),
            duration_s=seconds,
            people=tuple(people),
            named=clip.named,
            seen=self.judge.of_faces(read.picture.record.finish(), read.picture.looked_at),
            heard=read.voice.heard,
        )

    def classify_many(
        self,
        paths: Iterable[object],
        n_jobs: int = 1,
        watch: Callable[[float], None] | None = None,
    ) -> Iterator[ClipResult]:
        """Read the emotion of many clips, one after the other or several at once.

        A clip that fails gives a result that says so, and the others go on; so does one over which
        a process is ended, by the system for instance when memory runs out.

        Args:
            paths: The clips, each as `classify` takes it.
            n_jobs: Number of processes, -1 for one a core.
            watch: As for `classify`; not called where other processes read.

        Yields:
            The results in the order of the paths, each as soon as it and those before it are
            there.
        """
        if n_jobs == 1:
            for path in paths:
                yield self.classify_safely(path, watch)
            return
        from joblib import effective_n_jobs

        n_jobs = effective_n_jobs(n_jobs)
        threads = workers.threads_each(n_jobs)
        work = partial(classify_in_worker, self.origin, threads, self.purpose)
        yield from workers.in_order(work, map(sendable, paths), n_jobs, _lost)

    def classify_safely(
        self, clip: object, watch: Callable[[float], None] | None = None
    ) -> ClipResult:
        """Read the emotion of one clip; where that fails, the result says why."""
        path = name_of(clip)
        try:
            return self.classify(clip, watch)
        except MediaError as error:
            return ClipResult.failed(path, error.reason, error.remedy)
        except ModelError as error:
            return ClipResult.failed(path, f"{error.path}: {error.reason}", error.remedy)
        except Exception as error:  # one odd clip must not end the work on a thousand others
            return ClipResult.failed(
                path,
                f"an unforeseen error, {type(error).__name__}: {error}",
                "report it with the clip, if you may share that",
            )

    def combine(self, posteriors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Join what the streams say of one moment, or of a whole recording.

        Args:
            posteriors: Stream -> (classes of its network,); an absent stream is left out.

        Returns:
            Stream or "fused" -> (7,) float32 over COMMON7; empty where no stream is there.
        """
        classes = {stream: network.spec.classes for stream, network in self.networks.items()}
        return self.judge.of_moment(posteriors, classes)

    def _changed(self, **changes: Any) -> Recognizer:
        """Return a recogniser with the same networks for another purpose."""
        parts = self.networks, self.judge.fusion, self.landmarks, self.origin
        return Recognizer(*parts, replace(self.purpose, **changes), self._notes)


@lru_cache(maxsize=1)
def loaded_in_worker(origin: tuple[str | None, str, str], threads: int) -> Recognizer:
    """Each worker process loads the networks once."""
    import cv2

    cv2.setNumThreads(1)
    limit_threads(threads)
    return Recognizer.load(*origin)


def classify_in_worker(
    origin: tuple[str | None, str, str], threads: int, purpose: Purpose, clip: object
) -> ClipResult:
    """Read a clip in a process that serves others; what is sent and comes back is small.

    Args:
        origin: What `load` is told.
        threads: How many a decoder may have.
        purpose: Whose clip is judged, and by what.
        clip: The clip, as `Recognizer.classify` takes it.
    """
    loaded = loaded_in_worker(origin, threads)
    return loaded._changed(**vars(purpose)).classify_safely(clip)


def _lost(clip: object, how: str) -> ClipResult:
    """The result of a clip over which a worker died."""
    return ClipResult.failed(
        name_of(clip),
        f"the process that read it was ended ({how}), as a system does that runs out of memory",
        "read it alone, with --jobs 1; if that fails too, report it",
    )
