"""From a jobs file, or from words, to checked jobs; all problems at once, and nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lstm_forecast.errors import ConfigError, Problem, UsageError
from lstm_forecast.scale.collecting import batch_from_file, batch_from_words
from lstm_forecast.scale.jobs import Batch, Job


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three CSV files, a configuration, and a working directory that is another one."""
    (tmp_path / "prices").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for name in ("b.csv", "a.csv", "c.csv.gz", ".hidden.csv"):
        (tmp_path / "prices" / name).write_text("date,value\n2024-01-01,1\n")
    (tmp_path / "small.yaml").write_text("data: {path: none.csv}\ntraining: {epochs: 3}\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def batch(folder: Path, text: str) -> Batch:
    path = folder / "jobs.yaml"
    path.write_text(text, encoding="utf-8")
    return batch_from_file(path, runs_dir=folder / "runs")


def problems(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as wrong:
        batch(folder, text)
    assert wrong.value.code == 2
    assert not (folder / "runs").exists()
    return wrong.value.problems


def config(job: Job) -> tuple[str, str | None, int, int, str]:
    made = job.load().config
    return made.data.path, made.run.name, made.training.epochs, made.window.horizon, made.run.promote


def test_the_whole_form(folder: Path) -> None:
    made = batch(
        folder,
        """
defaults: {config: small.yaml, retrain: {max_age: 7d}, set: {training.epochs: 5, training.seed: 1}}
jobs:
  - name: apple
    set: {data.path: prices/a.csv, training.epochs: 7}
    horizon: 10
    levels: [95, 50]
    output: out/apple.csv
    plot: {path: out/apple.png, kind: test}
    max_input_age: 3d
    retrain: never
  - {name: 600519, set: {data.path: /data/x.csv}}
""",
    )
    first, second = made.jobs
    assert (first.name, first.config) == ("apple", str(folder / "small.yaml"))
    assert (first.horizon, first.levels, first.retrain) == (10, (50, 95), "never")
    assert (first.output, first.plot, first.kind) == (
        str(folder / "out/apple.csv"),
        str(folder / "out/apple.png"),
        "test",
    )
    assert (first.most_input_s, first.most_model_s) == (3 * 86400, None)
    assert config(first) == (str(folder / "prices/a.csv"), "apple", 7, 10, "if_better")
    assert first.load().config.training.seed == 1  # what the job does not set stays as in the defaults
    assert (second.retrain, second.most_model_s) == ("max_age", 7 * 86400)
    assert config(second) == ("/data/x.csv", "600519", 5, 1, "if_better")
    assert made.folders == (folder / "runs", folder / "runs")


def test_one_job_per_file_sorted_and_named_by_its_stem(folder: Path) -> None:
    text = "jobs:\n  - {files: prices/*.csv*, config: small.yaml, output: 'out/{name}.csv'}\n"
    made = batch(folder, text)
    assert [job.name for job in made.jobs] == ["a", "b", "c"]
    assert [config(job)[0] for job in made.jobs] == [
        str(folder / "prices" / name) for name in ("a.csv", "b.csv", "c.csv.gz")
    ]
    assert [job.output for job in made.jobs] == [str(folder / "out" / f"{name}.csv") for name in "abc"]
    text = "jobs:\n  - {files: prices/a.csv, name: 'x-{stem}', plot: '{stem}-{name}.svg'}\n"
    (job,) = batch(folder, text).jobs
    assert (job.name, job.plot) == ("x-a", str(folder / "a-x-a.svg"))


def test_what_the_configuration_says_itself_stays(folder: Path) -> None:
    (folder / "own.yaml").write_text(
        "data: {path: prices/a.csv}\nrun: {promote: always, name: own}\nwindow: {horizon: 4}\n"
    )
    (job,) = batch(folder, "jobs: [{name: a, config: own.yaml, horizon: 9}]\n").jobs
    assert config(job) == (str(folder / "prices/a.csv"), "a", 100, 4, "always")
    (job,) = batch(folder, "jobs: [{name: a, config: own.yaml, set: {run.name: other}}]\n").jobs
    assert (job.name, config(job)[1]) == ("a", "other")


def test_without_a_configuration_a_file_is_a_bare_csv(folder: Path) -> None:
    (job,) = batch(folder, "jobs: [{name: a, set: {data.path: prices/a.csv}}]\n").jobs
    assert job.load().origins["data.path"] == "bare CSV"
    assert job.load().config.data.path == str(folder / "prices/a.csv")


def test_a_job_goes_through_text_and_back(folder: Path) -> None:
    text = "jobs: [{name: 零, set: {data.path: prices/a.csv, model.hidden_size: [4, 3]}, levels: [80.5]}]\n"
    (job,) = batch(folder, text).jobs
    again = Job.from_text(job.to_text())
    assert again.load() == job.load()
    assert (again.levels, again.name) == ((80.5,), "零")
    assert Job.from_text(again.to_text()) == again


def test_a_pattern_that_no_file_fits_is_a_job_that_fails(folder: Path) -> None:
    made = batch(folder, "jobs:\n  - {files: none/*.csv, config: small.yaml, output: 'out/{stem}.csv'}\n")
    assert [(job.name, job.missing) for job in made.jobs] == [("none/*.csv", "none/*.csv")]


def test_a_file_with_signs_of_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "prices" / "[a].csv").write_text("")
    made = batch(folder, "jobs:\n  - {files: 'prices/[a].csv', config: small.yaml}\n")
    assert [config(job)[0] for job in made.jobs] == [str(folder / "prices" / "[a].csv")]


@pytest.mark.parametrize(
    ("entry", "id", "said"),
    [
        ("{nam: a}", "jobs.unknown_key", "did you mean name?"),
        ("{name: a, epochs: 5}", "jobs.unknown_key", "set: {training.epochs: …}"),
        ("{name: a, zzz: 5}", "jobs.unknown_key", "keys of a job: name, config, files"),
        ("{config: small.yaml}", "jobs.missing", "the job has no name"),
        ("{name: a}", "jobs.missing", "the job has no input"),
        ("text", "jobs.form", 'expected a mapping of keys, got "text"'),
        ("{name: a, horizon: 0}", "jobs.value", "horizon: expected whole number from 1 to 100000, got 0"),
        ("{name: a, horizon: true}", "jobs.value", "got true"),
        ("{name: a, levels: [0.8]}", "jobs.value", "got [0.8]"),
        ("{name: a, retrain: sometimes}", "jobs.value", "never | always | if-changed | {max_age: 7d}"),
        ("{name: a, retrain: {max_age: 7}}", "jobs.value", "got a mapping"),
        ("{name: a, plot: {path: a.png, kind: pie}}", "jobs.value", "plot: expected"),
        ("{name: a, max_input_age: 3}", "jobs.value", "max_input_age: expected duration"),
        ("{name: a, set: [1]}", "jobs.value", "set: expected mapping"),
        ("{name: a, name: b}", "jobs.duplicate", "name stands twice"),
        ("{name: a, set: {data.path: x, data.path: y}}", "jobs.duplicate", "data.path stands twice"),
        ("{name: a, config: small.yaml, set: {training.epoch: 5}}", "config.unknown_key", "training.epochs?"),
        ("{name: a, config: small.yaml, set: {training.lr: fast}}", "config.type", 'got "fast"'),
        ("{name: a, config: small.yaml, set: {data: {path: x}}}", "config.unknown_key", "data is a section"),
        ("{name: a, config: none.yaml}", "config.not_found", "no such file"),
        ("{name: ../a, config: small.yaml}", "config.range", "run.name"),
        ("{name: '', config: small.yaml}", "jobs.value", 'got ""'),
        ("{name: a, config: small.yaml, set: {data.path: '-'}}", "jobs.value", "standard input"),
        ("{name: a, config: small.yaml, output: 'out/{stem}.csv'}", "jobs.value", "nothing fills {stem}"),
        ("{name: a, config: small.yaml, output: '{now}.csv'}", "jobs.value", "nothing fills {now}"),
        ("{name: a, config: small.yaml, output: a.txt}", "jobs.value", "ends in .csv, .json"),
        ("{name: a, config: small.yaml, plot: a.gif}", "jobs.value", "ends in .png, .svg, .pdf"),
        ("{name: a, config: small.yaml, output: none.csv}", "jobs.input", "none.csv is read by this batch"),
        ("{files: prices/*.csv, name: one, config: small.yaml}", "jobs.duplicate", "two jobs are called one"),
        ("{files: prices/*.csv, config: small.yaml, output: o.csv}", "jobs.duplicate", "a and b both write"),
        ("{files: prices/*.csv, set: {data.path: x.csv}}", "jobs.duplicate", "both name the input"),
        ("{files: prices/*.csv, set: {run.name: x}}", "jobs.duplicate", "a and b train the same run name"),
    ],
)
def test_each_problem_says_where_and_what_to_type(folder: Path, entry: str, id: str, said: str) -> None:
    (problem,) = problems(folder, f"jobs:\n  - {entry}\n")
    assert problem.id == id
    assert said in f"{problem.message} {problem.hint}"
    assert problem.where.startswith((f"{folder / 'jobs.yaml'}:", f"{folder}/none.yaml"))
    if "text" not in entry and id != "config.not_found":
        assert problem.where.startswith(f"{folder / 'jobs.yaml'}:2:")


@pytest.mark.parametrize(
    ("text", "id", "said"),
    [
        ("", "jobs.form", "expected a list under jobs:"),
        ("[]", "jobs.form", "expected a list under jobs:"),
        ("defaults: {}", "jobs.form", "has no jobs"),
        ("jobs: []", "jobs.form", "expected a list of jobs"),
        ("jobs: {name: a}", "jobs.form", "expected a list of jobs"),
        ("data: {path: a.csv}\nmodel: {}", "jobs.form", "'prices/*.csv'"),
        ("jbos: [{name: a}]", "jobs.unknown_key", "did you mean jobs?"),
        ("defaults: {name: a}\njobs: [{files: prices/a.csv}]", "jobs.unknown_key", "under defaults"),
        ("defaults: {horizon: -1}\njobs: [{files: prices/a.csv}]", "jobs.value", "horizon: expected"),
        ("jobs: &a [*a]", "config.unsafe", "anchors"),
        ("jobs: [{<<: {name: a}}]", "config.unsafe", "merge keys"),
        ("jobs: !!python/object/apply:os.system ['touch marker']", "config.unsafe", "tags"),
        ("jobs: " + "[" * 5000, "config.unsafe", "nested"),
        ("jobs: [" + "{name: a}, " * 6000 + "]", "config.unsafe", "more than 10000 values"),
        ("jobs: [" + " " * 300_000 + "]", "config.unsafe", "larger than 256 KiB"),
        ("jobs: [{name: a}]\n---\njobs: []", "config.documents", "second document"),
        ("jobs: [{name: a}", "config.syntax", ""),
    ],
)
def test_a_hostile_or_broken_file(folder: Path, text: str, id: str, said: str) -> None:
    problem = problems(folder, text)[0]
    assert problem.id == id
    assert said in f"{problem.message} {problem.hint}"
    assert not (folder / "elsewhere" / "marker").exists()


def test_all_problems_come_at_once_and_not_without_end(folder: Path) -> None:
    found = problems(folder, "jobs:\n" + "  - {nam: a, horizon: 0}\n" * 2)
    assert [problem.where.rpartition("jobs.yaml")[2] for problem in found] == [
        ":2:6",
        ":2:14",
        ":3:6",
        ":3:14",
    ]
    found = problems(folder, "jobs:\n" + "  - {nam: a}\n" * 200)
    assert (len(found), found[-1].message) == (51, "150 more problems")
    text = "defaults: {config: small.yaml, set: {training.epoch: 5}}\njobs:\n  - {files: prices/*.csv}\n"
    assert len(problems(folder, text)) == 1  # a fault that many jobs share is said once


def test_only_some_of_the_jobs(folder: Path) -> None:
    made = batch(folder, "jobs: [{files: prices/*.csv}]\n")
    assert [job.name for job in made.only(["b", "a"]).jobs] == ["a", "b"]
    with pytest.raises(UsageError, match="no job named 'bb'") as wrong:
        batch(folder, "jobs: [{files: prices/*.csv, name: 'price-{stem}'}]\n").only(["price-a", "bb"])
    assert wrong.value.code == 2


def words(
    *files: str, config: Path | None = None, sets: tuple[str, ...] = (), output: str | None = None
) -> Batch:
    return batch_from_words(
        config, files, sets=sets, horizon=3, output=output, excel=False, runs_dir=Path.cwd().parent / "runs"
    )


def test_the_short_form(folder: Path) -> None:
    made = words(
        "../prices/*.csv",
        "/none/*.csv",
        config=folder / "small.yaml",
        sets=("training.seed=9",),
        output="all.csv",
    )
    assert [(job.name, job.missing) for job in made.jobs] == [
        ("a", ""),
        ("b", ""),
        ("/none/*.csv", "/none/*.csv"),
    ]
    assert made.combined == str(folder / "elsewhere" / "all.csv")
    assert config(made.jobs[1]) == (str(folder / "prices/b.csv"), "b", 3, 3, "if_better")
    assert {job.load().config.training.seed for job in made.jobs} == {9}
    assert {job.horizon for job in made.jobs} == {3}
    assert words("../prices/a.csv").jobs[0].load().origins["data.path"] == "bare CSV"


def test_what_nobody_set_is_that_of_a_nightly_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs do not pile up and draw nothing; the configuration, the environment and the words go before."""

    def kept(**others: Any) -> tuple[int | None, bool, str, str]:
        found = words("../prices/a.csv", **others).jobs[0].load().config
        return (found.run.keep, found.run.plots, found.run.promote, found.training.refit)

    assert kept() == (10, False, "if_better", "full")
    own = folder / "own.yaml"
    own.write_text(
        "data: {path: a.csv}\nrun: {keep: 3, plots: true, promote: always}\ntraining: {refit: none}\n"
    )
    assert kept(config=own) == (3, True, "always", "none")
    assert kept(config=own, sets=("run.keep=null",)) == (None, True, "always", "none")
    monkeypatch.setenv("LSTM_FORECAST_RUN__PLOTS", "true")
    assert kept() == (10, True, "if_better", "full")


@pytest.mark.parametrize(
    ("sets", "output", "said"),
    [
        (("data.path=x",), None, "data.path is the file of each job"),
        (("training.epoch=3",), None, "did you mean training.epochs?"),
        (("run.name=x",), None, "a and b train the same run name"),
        ((), "all.json", "ends in .csv"),
        ((), "../prices/a.csv", "is read by this batch"),
        ((), "../small.yaml", "is read by this batch"),
    ],
)
def test_what_the_short_form_refuses(
    folder: Path, sets: tuple[str, ...], output: str | None, said: str
) -> None:
    with pytest.raises(ConfigError) as wrong:
        words("../prices/*.csv", config=folder / "small.yaml", sets=sets, output=output)
    assert said in str(wrong.value)


def test_two_files_of_one_stem_are_two_jobs_of_one_name(folder: Path) -> None:
    (folder / "elsewhere" / "a.csv").write_text("")
    with pytest.raises(ConfigError, match="two jobs are called a"):
        words("../prices/a.csv", "a.csv")


def test_every_path_of_a_job_is_relative_to_the_jobs_file(folder: Path) -> None:
    made = batch(
        folder,
        """
jobs:
  - name: a
    set: {data.path: prices/a.csv, data.future_covariates: [x], data.future_path: plan.csv, data.holidays: DE}
  - {name: b, set: {data.path: prices/b.csv, data.holidays: off.txt}}
""",
    )
    first, second = (job.load().config.data for job in made.jobs)
    assert (first.future_path, first.holidays) == (str(folder / "plan.csv"), "DE")
    assert second.holidays == str(folder / "off.txt")
