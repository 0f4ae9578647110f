from __future__ import annotations


def test_one_command_draws_the_curve_and_goes_on_where_it_was(table, isthmus, here):
    arguments = ("rate-distortion", table, "--betas", "0.1,1,10", "--epochs", 2, "--hidden", 8)
    arguments = (*arguments, "--latent-dim", 2, "--samples", 3, "--threads", 1, "--label", "town")
    said = isthmus(*arguments, "-o", "rd").stdout
    assert "beta 0.1" in said
    assert "report.html" in said
    assert {"rd.csv", "rd.json", "metrics.json", "report.html", "runs"} <= {
        path.name for path in (here / "rd").iterdir()
    }
    first = (here / "rd" / "rd.csv").read_text()
    assert isthmus(*arguments, "-o", "rd").stdout == said
    assert (here / "rd" / "rd.csv").read_text() == first
    isthmus("report", "rd")


def test_weights_that_are_none_are_refused(table, refused, here):
    assert "--betas" in refused("rate-distortion", table, "--betas", "1,two").stderr
    plain = refused("rate-distortion", table, "--recipe", "ae", "--label", "town", "-o", "x")
    assert "no option beta" in plain.stderr
    assert list(here.iterdir()) == []
