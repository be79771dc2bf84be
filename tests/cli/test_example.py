"""``emorec try``: a made-up clip, drawn and read."""

from emorec.cli import main


def test_it_draws_reads_and_keeps_a_clip(models, tmp_path, capfd):
    kept = tmp_path / "kept.mp4"
    arguments = ["try", "--emotion", "surprise", "--models", str(models), "--keep", str(kept)]
    assert main(arguments) == 0
    printed = capfd.readouterr()
    assert "surprise" in printed.out and "made up" in printed.out
    before = kept.read_bytes()
    assert main(arguments) == 2
    assert "it is there already" in capfd.readouterr().err
    assert kept.read_bytes() == before


def test_a_folder_that_is_gone_is_not_named(models, capfd):
    assert main(["try", "--models", str(models)]) == 0
    printed = capfd.readouterr().out
    assert "happy.mp4" in printed
    assert "/" not in printed
