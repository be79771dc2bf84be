"""The temperature that makes a posterior's confidence worth what it says."""

import numpy as np

from emorec.posteriors import floored_log, softmax


def fit_temperature(truth: np.ndarray, posterior: np.ndarray, weights: np.ndarray) -> float:
    """Return the temperature of least negative log-likelihood (Guo et al. 2017).

    Args:
        truth: Codes, int (n,), of clips whose speakers and corpora did not train.
        posterior: (n, classes).
        weights: (n,), not negative.
    """
    from scipy.optimize import minimize_scalar

    logs, rows = floored_log(posterior), np.arange(len(truth))

    def loss(log_temperature):
        likely = softmax(logs / np.exp(log_temperature))[rows, truth]
        return -np.average(np.log(np.maximum(likely, 1e-30)), weights=weights)

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 3), method="bounded").x))


def at_temperature(posterior: np.ndarray, temperature: float) -> np.ndarray:
    """Return the posterior flattened (above 1) or sharpened (below 1)."""
    return softmax(floored_log(posterior) / temperature)
