"""The search for the voice's settings, on made-up voices: it goes on where it was cut."""

import pytest

from emorec import avatar, search_voice, train_voice
from emorec.corpora import ravdess


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    avatar.make_sound_corpus(folder, actors=(1, 5, 21), takes=avatar.all_takes()[::20])
    table = ravdess.load_sound_table(folder)
    return table, train_voice.read_sounds(table)


def test_a_cut_search_goes_on_and_reads_the_blocks_it_has(voices, tmp_path, monkeypatch):
    judge, judged = train_voice.clip_posteriors, []

    def cut_at_second_block(network, sounds):
        if len(judged) == 1:
            judged.append("cut")
            raise KeyboardInterrupt
        judged.append(len(sounds))
        return judge(network, sounds)

    monkeypatch.setattr(train_voice, "clip_posteriors", cut_at_second_block)
    settings = {"trials": 1, "epochs": 1, "blocks": ((1,), (5,))}
    with pytest.raises(KeyboardInterrupt):
        search_voice.search(*voices, tmp_path, **settings)
    found = search_voice.search(*voices, tmp_path, **settings)
    # The block that was cut was judged once more, the one before it was not.
    assert len([x for x in judged if x != "cut"]) == 2
    assert len(found) == 1
    first = found.iloc[0][list(search_voice.SHIPPED)]
    assert first.to_dict() == pytest.approx(search_voice.SHIPPED)
    assert search_voice.search(*voices, tmp_path, **settings).equals(found)


def test_the_reference_projects_test_actors_take_no_part(voices):
    table, _ = voices
    known = search_voice.searchable(table)
    assert set(table["speaker"][known]) == {"ravdess-01", "ravdess-05"}
