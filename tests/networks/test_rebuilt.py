import keras
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


def test_the_networks_have_the_layers_that_the_other_project_names():
    assert rebuilt.build_conv1().count_params() == 320 + (23 * 23 * 32 + 1) * 128 + 129 * 6
    layers = rebuilt.build_conv3().layers
    dense = [layer.units for layer in layers if isinstance(layer, keras.layers.Dense)]
    assert dense == [512, 256, 6]
    assert rebuilt.build_mobilenet_v2(alpha=0.35).output_shape == (None, 6)
