import numpy as np
import pytest

from emorec.networks import rebuilt


@pytest.mark.parametrize(
    ("build", "parameters", "shape"),
    [
        (rebuilt.build_voice_1d, 296_903, (282, 1)),
        (rebuilt.build_voice_2d, 387_335, (128, 282, 1)),
        (rebuilt.build_face, 2_030_215, (112, 112, 1)),
    ],
)
def test_size_is_the_published_one_and_a_posterior_comes_out(build, parameters, shape):
    network = build()
    assert network.count_params() == parameters
    posterior = np.asarray(network(np.zeros((2, *shape), np.float32)))
    np.testing.assert_allclose(posterior.sum(1), 1, atol=1e-5)
