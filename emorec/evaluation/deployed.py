"""How often the recogniser, as shipped, is right on clips from elsewhere."""

from pathlib import Path

import numpy as np
import pandas as pd

from emorec import fusion
from emorec.emotions import COMMON7


def deployed_accuracies(folder: Path) -> dict[str, float]:
    """Return the shipped recogniser's accuracy on the audio-visual clips, by stream and fused.

    Args:
        folder: `Models/fusion` with `audiovisual.csv` and `fusion.json`.

    Returns:
        Stream -> share of all clips that are right, a clip without the stream being wrong.
    """
    table = pd.read_csv(folder / "audiovisual.csv")
    streams = list(dict.fromkeys(c.split(".")[0] for c in table.columns if "." in c))
    posteriors = {s: table[[f"{s}.{name}" for name in COMMON7]].to_numpy(float) for s in streams}
    rule = fusion.LogLinearFusion.from_json(folder / "fusion.json")
    posteriors["fused"] = rule.apply(posteriors)
    truth = table["truth"].map({name: i for i, name in enumerate(COMMON7)}).to_numpy()
    return {
        stream: float(
            (np.where(np.isfinite(p).all(1), np.nan_to_num(p).argmax(1), -1) == truth).mean()
        )
        for stream, p in posteriors.items()
    }


def deployed_line(models: Path) -> str:
    """Tell how the shipped recogniser does on another corpus; empty without its posteriors."""
    folder = models / "fusion"
    if not (folder / "audiovisual.csv").exists() or not (folder / "fusion.json").exists():
        return ""
    table = pd.read_csv(folder / "audiovisual.csv")
    found = deployed_accuracies(folder)
    streams = ", ".join(f"{s} {100 * a:.1f} %" for s, a in found.items() if s != "fused")
    return (
        f"The recogniser as shipped, on JavaSED (Javanese, {table['speaker'].nunique()} actors, "
        f"{len(table)} clips, {table['truth'].nunique()} emotions): fused "
        f"{100 * found['fused']:.1f} %, {streams}; chance {100 / table['truth'].nunique():.1f} %. "
        "The exponents of the fusion were fitted on these clips together with RAVDESS."
    )
