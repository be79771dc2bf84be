"""What an emotion does to a face: one table of expressions, easy to tune."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Expression:
    """A facial expression as movements away from the face at rest.

    Lengths are pixels at an eye distance of 140 pixels, which is how large RAVDESS's
    actors stand in a 1280x720 picture. Creases run from 0 (none) to 1 (deep). The action
    units (AU) are those of the Facial Action Coding System (Ekman and Friesen 1978).

    Attributes:
        brow_inner_up: Inner ends of the brows up (AU1), negative: down (AU4).
        brow_outer_up: Outer halves of the brows up (AU2).
        brow_together: Inner ends of the brows towards each other (AU4).
        upper_lid_up: Upper lids up (AU5), negative: drooping.
        lower_lid_up: Lower lids up (AU6, AU7).
        corner_up: Corners of the mouth up (AU12), negative: down (AU15).
        corner_out: Corners of the mouth outwards (AU12, AU20), negative: rounded.
        upper_lip_up: Upper lip up (AU10).
        lower_lip_down: Lower lip down (AU16, AU25).
        lip_press: Each lip thinner by this much (AU23, AU24).
        jaw_down: Jaw down (AU26, AU27).
        nose_up: Nose drawn up (AU9).
        teeth_lower: How much of the lower teeth shows in an open mouth, 0-1.
        crease_brow: Upright lines between the brows (AU4).
        crease_forehead: Level lines on the forehead (AU1 with AU2).
        crease_nose: Lines across the root of the nose (AU9).
        crease_cheek: Lines from the nose to the mouth corners (AU10, AU12).
        crease_eye: Lines at the outer eye corners and raised cheeks (AU6).
        head_down: Head bowed: the tip of the nose sinks by this much.
        head_tilt: Head tilted to a shoulder, in degrees.
    """

    brow_inner_up: float = 0
    brow_outer_up: float = 0
    brow_together: float = 0
    upper_lid_up: float = 0
    lower_lid_up: float = 0
    corner_up: float = 0
    corner_out: float = 0
    upper_lip_up: float = 0
    lower_lip_down: float = 0
    lip_press: float = 0
    jaw_down: float = 0
    nose_up: float = 0
    teeth_lower: float = 0
    crease_brow: float = 0
    crease_forehead: float = 0
    crease_nose: float = 0
    crease_cheek: float = 0
    crease_eye: float = 0
    head_down: float = 0
    head_tilt: float = 0

    def scaled(self, factor: float) -> "Expression":
        """Return the expression with every movement multiplied by a factor.

        Args:
            factor: 0 gives the face at rest, 1 the expression itself.

        Returns:
            A new expression.

        Examples:
            >>> Expression(jaw_down=10).scaled(0.5).jaw_down
            5.0
        """
        return Expression(*(factor * getattr(self, field.name) for field in fields(self)))


EXPRESSIONS: dict[str, Expression] = {
    "neutral": Expression(),
    "calm": Expression(
        upper_lip_up=2, corner_up=8, corner_out=7, crease_cheek=0.2, brow_inner_up=2, head_down=-4
    ),
    # AU6 + 12 + 25
    "happy": Expression(
        corner_up=15,
        corner_out=17,
        upper_lip_up=8,
        lower_lip_down=4,
        jaw_down=11,
        lower_lid_up=5,
        upper_lid_up=-0.5,
        brow_inner_up=2,
        brow_outer_up=3,
        crease_cheek=0.65,
        crease_eye=1,
        head_down=4,
    ),
    # AU1 + 4 + 15
    "sad": Expression(
        lower_lip_down=-3,
        brow_inner_up=8,
        brow_outer_up=-9,
        brow_together=6,
        upper_lid_up=-5,
        corner_up=-10,
        corner_out=-1,
        lip_press=0.5,
        crease_forehead=0.45,
        crease_brow=0.4,
        crease_cheek=0.35,
        head_down=12,
        head_tilt=4,
    ),
    # AU4 + 5 + 7 + 23, teeth shown while shouting
    "angry": Expression(
        brow_inner_up=-17,
        brow_outer_up=2,
        brow_together=9,
        upper_lid_up=3.5,
        lower_lid_up=3.5,
        corner_up=-5,
        corner_out=2,
        upper_lip_up=3,
        lower_lip_down=7,
        lip_press=2.5,
        jaw_down=3,
        nose_up=3,
        teeth_lower=1,
        crease_brow=1,
        crease_nose=0.3,
        crease_cheek=0.6,
        head_down=9,
    ),
    # AU1 + 2 + 4 + 5 + 20 + 26
    "fear": Expression(
        brow_inner_up=9,
        brow_outer_up=-2,
        brow_together=9,
        upper_lid_up=7,
        lower_lid_up=1,
        corner_up=-5,
        corner_out=11,
        upper_lip_up=1,
        lower_lip_down=7,
        jaw_down=7,
        teeth_lower=0.8,
        crease_forehead=0.8,
        crease_brow=0.35,
        crease_cheek=0.25,
        head_down=3,
    ),
    # AU9 + 10 + 15
    "disgust": Expression(
        brow_inner_up=-11,
        brow_outer_up=-6,
        brow_together=7,
        upper_lid_up=-5,
        lower_lid_up=5,
        corner_up=-8,
        corner_out=3,
        upper_lip_up=11,
        lower_lip_down=4,
        nose_up=8,
        crease_brow=0.6,
        crease_nose=1,
        crease_cheek=1,
        head_down=12,
        head_tilt=-3,
    ),
    # AU1 + 2 + 5 + 26
    "surprise": Expression(
        brow_inner_up=11,
        brow_outer_up=11,
        upper_lid_up=7,
        lower_lid_up=-1.5,
        corner_up=1,
        corner_out=-11,
        upper_lip_up=3,
        lower_lip_down=2,
        jaw_down=17,
        crease_forehead=1,
        head_down=7,
    ),
}
"""The expression of each emotion at full strength."""

INTENSITY_SCALE: dict[int, float] = {1: 0.75, 2: 1.0}
"""How strong an expression is at RAVDESS's intensities 1 (normal) and 2 (strong)."""


@dataclass(frozen=True)
class Pose:
    """How the head is held and what the mouth says in one frame.

    Attributes:
        x: Head to the right of the picture, in pixels at an eye distance of 140 pixels.
        y: Head down, in the same pixels.
        yaw: Turn of the head: how far the tip of the nose moves to the right.
        pitch: Nod of the head: how far the tip of the nose moves down.
        roll_deg: Tilt of the head in degrees, clockwise.
        blink: 0 open to 1 shut.
        gaze: Iris to the right, in pixels.
        speech_open: Opening of the mouth by speech, in pixels.
        speech_round: Rounding of the lips by speech, in pixels.
    """

    x: float = 0
    y: float = 0
    yaw: float = 0
    pitch: float = 0
    roll_deg: float = 0
    blink: float = 0
    gaze: float = 0
    speech_open: float = 0
    speech_round: float = 0
