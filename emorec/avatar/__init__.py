"""Avatars: made-up talking faces with made-up voices, in RAVDESS's layout.

They stand in where no corpus is at hand: as examples, in quick notebook runs, in tests and
in benchmarks. Nobody's face or voice is in them, and a result on them says nothing about
people.
"""

from emorec.avatar.actor import Actor, make_actor
from emorec.avatar.clip import (
    EMOTION_CODES,
    FRAME_RATE_HZ,
    Take,
    all_takes,
    make_corpus,
    make_examples,
    make_sound_corpus,
    take_frames,
    take_path,
    write_clip,
    write_scene,
    write_sound,
)
from emorec.avatar.expression import EXPRESSIONS, Expression, Pose
from emorec.avatar.face import draw_face
from emorec.avatar.voice import SAMPLE_RATE_HZ, Speech, synthesise_voice

__all__ = [
    "EMOTION_CODES",
    "EXPRESSIONS",
    "FRAME_RATE_HZ",
    "SAMPLE_RATE_HZ",
    "Actor",
    "Expression",
    "Pose",
    "Speech",
    "Take",
    "all_takes",
    "draw_face",
    "make_actor",
    "make_corpus",
    "make_examples",
    "make_sound_corpus",
    "synthesise_voice",
    "take_frames",
    "take_path",
    "write_clip",
    "write_scene",
    "write_sound",
]
