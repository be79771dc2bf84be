"""The slides on results: each a message, its figures read from the committed evidence."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from emorec.analysis import bias
from emorec.analysis import strangers as of_strangers
from emorec.evaluation import plots
from emorec.evaluation import scores as evaluation
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.evaluation.literature import REFERENCE_PROJECT, reported_for
from emorec.publish.slide_layout import Slide, Story, axes_of, bars, dots
from emorec.publish.tables import on_reference_split

__all__ = ["RESULTS"]


def strangers(story: Story) -> Slide:
    """What the clip of somebody gets of whom nothing trained the recogniser."""
    whole = story.evidence["end_to_end"]
    value, low, high = (
        100 * part for part in of_strangers.mean_interval(whole.predictions)["accuracy"]
    )
    slide = Slide.begin(
        f"A stranger's clip is named rightly in {value:.1f} of 100 cases ({low:.1f} to {high:.1f})",
        f"""This is the figure to remember. Each corpus was left out of everything that was fitted,
        then read from its files like anybody's. Guessing finds 14 in 100. By how much the six
        differ, a seventh may differ too; only JavaSED has pictures. Settings were chosen with
        these corpora in view. On average the recogniser says that it is
        {100 * whole.metrics["gate"]["mean_confidence"]:.0f} % sure.""",
    )
    fused = whole.metrics["left_out"]["fused"]
    rows = {
        of_strangers.CORPORA[name]: [
            100 * share
            for share in (entry["scores"]["accuracy"], *entry["intervals_95"]["accuracy"])
        ]
        for name, entry in fused.items()
    }
    axes = axes_of(slide, (0.24, 0.21, 0.7, 0.55))
    dots(axes, rows)
    axes.axvline(100 / 7, color="grey", linestyle=":")
    axes.set_xlabel("clips named rightly (%), 95 % over speakers; dotted: guessing")
    slide.remark("Six corpora, each left out of everything that was fitted.")
    return slide


def sureness(story: Story) -> Slide:
    """How far a confidence is to be believed."""
    folder = story.root / "Models" / "comparisons" / "strangers" / "end_to_end"
    table = of_strangers.sureness_table(of_strangers.spoken(folder))
    least = table["right of those"].min()
    slide = Slide.begin(
        f"Of verdicts that claim over 70 %, {least:.0f} of 100 and more are right, whatever corpus",
        """Confidence is near the truth on average, and off by corpus: too sure on RAVDESS and
        CREMA-D, too modest on SAVEE, where hardly a verdict claims so much. Below 50 % the program
        itself says "unsure".""",
    )
    names = [name.split(",")[0] for name in table.index]
    axes = axes_of(slide, (0.16, 0.21, 0.78, 0.55))
    places = np.arange(len(table))
    for shift, (column, label) in enumerate(
        {"right": "all verdicts", "right of those": "those above 70 %"}.items()
    ):
        drawn = axes.bar(places + 0.4 * shift - 0.2, table[column], 0.38,
                         color=plots.COLOURS[shift], label=label)  # fmt: skip
        axes.bar_label(drawn, fmt="%.0f", padding=2)
    axes.set_xticks(places, names)
    axes.set(ylim=(0, 112), yticks=[0, 50, 100], ylabel="right (%)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    return slide


def picture_helps(story: Story) -> Slide:
    """What the picture adds on the one corpus of strangers that has one."""
    left_out = story.evidence["end_to_end"].metrics["left_out"]
    rows = {}
    for stream in ("fused", "voice", "face", "geometry"):
        entry = left_out[stream]["javased"]
        bounds = entry["intervals_95"]["accuracy"]
        label = "all together" if stream == "fused" else stream
        rows[label] = [100 * share for share in (entry["scores"]["accuracy"], *bounds)]
    gain = rows["all together"][0] - rows["voice"][0]
    slide = Slide.begin(
        f"The picture adds {gain:.0f} points to the voice, where there is a picture",
        """JavaSED is our only corpus of strangers with pictures: 192 clips of eight people, so the
        intervals are wide and overlap. A clip on which a stream is silent counts as wrong for it,
        which weighs on the geometry. The streams are not equal: the voice weighs most.""",
    )
    axes = axes_of(slide, (0.2, 0.21, 0.74, 0.55))
    dots(axes, rows)
    axes.set_xlabel("clips named rightly (%), 95 % over speakers")
    slide.remark("JavaSED, left out: 192 clips of eight people who speak Javanese.")
    return slide


def within(story: Story) -> Slide:
    """Within a corpus."""
    names = {
        "fusion": "RAVDESS, voice and geometry",
        "voice_encoder": "RAVDESS, voice",
        "geometry": "RAVDESS, geometry",
        "voice_2d_cnn": "RAVDESS, small voice",
        "face_cnn": "FER-2013, face",
    }
    evidence = story.evidence["fusion"]
    value = evidence.percent()[0]
    table = on_reference_split(evidence)
    right = 100 * evaluation.scores(table)["accuracy"]
    low, high = (100 * bound for bound in evaluation.intervals(table)["accuracy"])
    reported = reported_for(evidence.measured_on, "fusion")
    theirs = next(found for found in reported if found.who == REFERENCE_PROJECT)
    slide = Slide.begin(
        f"On actors of a known studio {value:.0f} of 100 are right: no promise for strangers",
        f"""The same sentences, the same room, the same eight emotions: judged on actors that no
        network heard, and still far above the stranger's figure. These compare methods; they are
        not what a user gets. On the reference project's test, actors 21 to 24 in seven classes, it
        is right in {right:.1f} % of {len(table)} takes ({low:.1f} to {high:.1f}).""",
    )
    axes = axes_of(slide, (0.36, 0.21, 0.59, 0.55))
    dots(axes, {label: story.percent(name) for name, label in names.items()})
    axes.set_xlabel("accuracy (%), 95 % over speakers or pictures")
    slide.remark(
        f"On the reference project's four actors {right:.1f} %; it reports {theirs.percent:g}."
    )
    return slide


def leaks(story: Story) -> Slide:
    """What a random split pretends."""
    rows = {}
    for evidence in story.evidence.values():
        if not evidence.key and "random_split" in evidence.metrics:
            rows[evidence.title] = (
                evidence.percent()[0],
                100 * evidence.metrics["random_split"]["scores"]["accuracy"],
            )
    gap = np.median([leaking - honest for honest, leaking in rows.values()])
    slide = Slide.begin(
        f"A random split adds {gap:.0f} points that no stranger will ever see",
        f"""Median of {len(rows)} methods, judged both ways. When takes of one person, or copies of
        one take, stand on both sides, a network need only remember. Ask of every published figure
        how it was split.""",
    )
    shown = sorted(rows, key=lambda name: rows[name][1] - rows[name][0])[-6:]
    axes = axes_of(slide, (0.4, 0.21, 0.55, 0.55))
    for place, name in enumerate(shown):
        honest, leaking = rows[name]
        axes.plot([honest, leaking], [place] * 2, color="grey", lw=2, zorder=0)
        labels = ("by speaker", "random split") if not place else (None, None)
        axes.plot(honest, place, "o", ms=12, color=plots.COLOURS[0], label=labels[0])
        axes.plot(leaking, place, "X", ms=12, color=plots.COLOURS[5], label=labels[1])
    axes.set_yticks(range(len(shown)), shown)
    axes.set(xlim=(0, 100), xlabel="accuracy (%)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.17), ncols=2, frameon=False)
    return slide


def groups(story: Story) -> Slide:
    """For whom it works."""
    table = story.evidence["fusion"].predictions
    found = bias.gap(table, bias.ravdess_facts(table["clip_id"])["gender"])
    gap, low, high = (100 * found[name] for name in ("gap", "low", "high"))
    by_actor = 100 * bias.scores_by(table, table["speaker"], resamples=1)["accuracy"]
    slide = Slide.begin(
        f"It reads some people far worse than others: {by_actor.min():.0f} to "
        f"{by_actor.max():.0f} % from actor to actor",
        f"""Within RAVDESS, {found["better"]} over {found["worse"]} is {gap:.1f} points
        ({low:.1f} to {high:.1f}); but the spread between single actors is larger than any gap
        between groups, and the confidence follows it only in part. Whoever is read badly is not
        told.""",
    )
    axes = axes_of(slide, (0.1, 0.2, 0.85, 0.55))
    in_order = by_actor.sort_values()
    women = bias.ravdess_facts(table["clip_id"])["gender"].groupby(table["speaker"]).first()
    colours = [plots.COLOURS[1 if women[name] == "female" else 0] for name in in_order.index]
    axes.bar(range(len(in_order)), in_order, color=colours)
    axes.set_xticks([])
    axes.set(ylim=(0, 100), ylabel="accuracy (%)", xlabel="24 actors, in order; orange: women")
    slide.remark(f"Fused, RAVDESS out of fold, n = {len(table):,}, 60 takes of each.")
    return slide


def errors(story: Story) -> Slide:
    """What is confused."""
    table = story.evidence["fusion"].predictions
    worst = bias.frequent_confusions(table, 6)
    luck = 100 * bias.permuted_accuracies(table, 300)
    quiet = worst.iloc[0]
    slide = Slide.begin(
        f"It takes the quiet emotions for each other: {quiet['truth']} "
        f"for {quiet['verdict']} first",
        f"""As a check of the scoring: with each actor's labels shuffled, accuracy falls to
        {luck.mean():.1f} %, never above {np.ceil(luck.max()):.0f} % in {len(luck)} trials, which
        is chance. Humans confuse the quiet emotions too.""",
    )
    axes = axes_of(slide, (0.36, 0.2, 0.58, 0.56))
    bars(axes, {f"{r.truth} taken for {r.verdict}": 100 * r.share for r in worst.itertuples()})
    axes.set_xlabel("% of that emotion's takes")
    slide.remark(f"Fused, RAVDESS out of fold, n = {len(table):,}.")
    return slide


def own_data(story: Story) -> Slide:
    """What labels of one's own gain."""
    folder = story.root / "Models" / "comparisons" / "own_data"
    rows = {}
    for file in sorted(folder.glob("*/metrics.json")):
        metrics = json.loads(file.read_text(encoding="utf-8"))
        gain = [100 * value for value in metrics["gains"]["fused"]["accuracy"]]
        name = CORPORA_NAMES[file.parent.name].split(",")[0]
        rows[f"{name}, {metrics['units']} people"] = gain
    least, most = (f([row[0] for row in rows.values()]) for f in (min, max))
    slide = Slide.begin(
        f"Labelled clips of your own people gain {least:.0f} to {most:.0f} points, in minutes",
        """emorec train fits new last layers and the fusion to a table of labels, on two cores.
        The gain is that of people who were left out of the training: name the speakers, or you
        will measure how well people are known. Two speakers, as SAVEE has, say little of a
        third.""",
    )
    axes = axes_of(slide, (0.25, 0.24, 0.7, 0.5))
    dots(axes, rows)
    axes.set(xlim=(0, 30), xlabel="more clips named rightly (points), 95 % over speakers")
    slide.remark("emorec train labels.csv --out mymodel; judged on left-out speakers.")
    return slide


def everybody(story: Story) -> Slide:
    """Everybody in the clip, and who speaks."""
    folder = story.root / "Models" / "comparisons" / "everybody"
    clips = pd.read_csv(folder / "clips.csv")
    scenes = clips.groupby("scene", sort=False)[["right", "windows"]].sum()
    right = 100 * scenes["right"] / scenes["windows"]
    slide = Slide.begin(
        f"It tells who speaks: in {right['two in turn']:.0f} of 100 windows of two in turn, "
        f"{right['leaving and coming back']:.0f} where people come and go",
        """Each face keeps a number, and the voice counts for whom the mouth says. New, and measured
        on made clips of people that the thresholds were set with: a help, not a witness. People
        who look alike, or move their lips in silence, confuse it.""",
    )
    axes = axes_of(slide, (0.36, 0.2, 0.58, 0.56))
    bars(axes, right.sort_values(ascending=False).to_dict())
    axes.set(xlim=(0, 112), xticks=[0, 50, 100], xlabel="windows with the right speaker (%)")
    slide.remark(
        f"{len(clips)} made clips of {len(scenes)} scenes; emorec classify talk.mp4 --people."
    )
    return slide


RESULTS = (
    strangers, sureness, picture_helps, within, leaks, groups, errors, own_data,
    everybody,
)  # fmt: skip
"""In order."""
