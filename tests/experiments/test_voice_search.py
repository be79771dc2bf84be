"""The search for the voice's settings, on made-up voices: it goes on where it was cut."""

import pytest

from emorec import avatar
from emorec.corpora import ravdess
from emorec.experiments import voice_search
from emorec.training import sounds as sounds_training
from emorec.training import voice as voice_training


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    avatar.make_sound_corpus(folder, actors=(1, 5, 21), takes=avatar.all_takes()[::20])
    table = ravdess.load_sound_table(folder)
    return table, sounds_training.read_sounds(table)


def test_a_cut_search_goes_on_and_reads_the_blocks_it_has(voices, tmp_path, monkeypatch):
    judge, judged = voice_training.clip_posteriors, []

    def cut_at_second_block(network, sounds):
        if len(judged) == 1:
            judged.append("cut")
            raise KeyboardInterrupt
        judged.append(len(sounds))
        return judge(network, sounds)

    monkeypatch.setattr(voice_training, "clip_posteriors", cut_at_second_block)
    settings = {"trials": 1, "epochs": 1, "blocks": ((1,), (5,))}
    with pytest.raises(KeyboardInterrupt):
        voice_search.search(*voices, tmp_path, **settings)
    found = voice_search.search(*voices, tmp_path, **settings)
    # The block that was cut was judged once more, the one before it was not.
    assert len([x for x in judged if x != "cut"]) == 2
    assert len(found) == 1
    first = found.iloc[0][list(voice_search.SHIPPED)]
    assert first.to_dict() == pytest.approx(voice_search.SHIPPED)
    assert voice_search.search(*voices, tmp_path, **settings).equals(found)


def test_the_reference_projects_test_actors_take_no_part(voices):
    table, _ = voices
    known = voice_search.searchable(table)
    assert set(table["speaker"][known]) == {"ravdess-01", "ravdess-05"}
