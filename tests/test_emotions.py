"""Vocabularies of emotions, and folding one into another."""

import numpy as np
import pytest

from emorec import emotions


def test_folding_keeps_the_mass_and_sends_calm_to_neutral():
    posterior = np.random.default_rng(0).dirichlet(np.ones(8), 50)
    folded = emotions.fold(posterior, emotions.RAVDESS8, emotions.COMMON7)
    np.testing.assert_allclose(folded.sum(1), 1)
    calm, neutral = (emotions.RAVDESS8.index(n) for n in ("calm", "neutral"))
    np.testing.assert_allclose(
        folded[:, emotions.COMMON7.index("neutral")],
        posterior[:, calm] + posterior[:, neutral],
        rtol=1e-5,
    )


def test_a_class_without_a_place_is_dropped_and_the_rest_normalised():
    posterior = np.zeros(8)
    contempt, happy = (emotions.FERPLUS8.index(n) for n in ("contempt", "happy"))
    posterior[contempt], posterior[happy] = 0.5, 0.5
    folded = emotions.fold(posterior, emotions.FERPLUS8, emotions.COMMON7)
    assert folded[emotions.COMMON7.index("happy")] == pytest.approx(1)
    with pytest.raises(ValueError, match="no class"):
        emotions.fold_matrix(("joy",), emotions.COMMON7)
