"""ETS and Theta against the library from scratch on the rows up to each cutoff, textbooks and R."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel, ThetaModelResults

from lstm_forecast.data.panel import Panel
from lstm_forecast.errors import ResourceError
from lstm_forecast.forecasting.statistical import (
    STATISTICAL,
    Statistical,
    _carried,
    _fit,
    _Form,
    _forms,
    _Job,
    require_library,
    statistical_forecasts,
)
from tests.conftest import ROOT
from tests.data.panels import panel_of, random_walks

Floats = NDArray[np.float64]
H = 5
# Saudi Arabia, million tonnes of oil, 1996 to 2013: Hyndman & Athanasopoulos 2018, 2nd edition, table 7.1
OIL = [445.36, 453.20, 454.41, 422.38, 456.04, 440.39, 425.19, 486.21, 500.43]
OIL += [521.28, 508.95, 488.89, 509.87, 456.72, 473.82, 525.95, 549.83, 542.34]


def airline() -> Floats:
    return np.loadtxt(ROOT / "data/airline.csv", delimiter=",", skiprows=1, usecols=1)


def forecasts(
    panel: Panel,
    *,
    fit_end: Sequence[int],
    season: int,
    rows: Sequence[int],
    names: Sequence[str] = STATISTICAL,
) -> Statistical:
    cutoffs = np.array(rows, dtype=np.int64)
    series = np.searchsorted(panel.offsets, cutoffs, side="right") - 1
    ends = np.array(fit_end)
    return statistical_forecasts(names, panel, cutoffs, series, horizon=H, season=season, fit_end=ends)


def of_one(
    values: Sequence[float] | Floats, name: str, *, fit_end: int, season: int, rows: Sequence[int]
) -> Floats:
    """Forecasts of a single series that was fitted: [W, H]."""
    found = forecasts(panel_of(values), fit_end=[fit_end], season=season, rows=rows, names=[name])
    assert found.failed == {name: ()}
    return found.forecasts[name]


def test_the_textbook_forecasts_the_oil_production_at_542_68() -> None:
    """Table 7.1: alpha 0.83, first level 446.6, forecasts 542.68 at every step."""
    assert of_one(OIL, "ets", fit_end=18, season=1, rows=[17])[0].round(2).tolist() == [542.68] * H
    parameters, _ = _fit(_Form("add", None, False, None), np.array(OIL), 1)
    assert parameters == pytest.approx([0.83, 446.6], abs=0.05)


def test_aicc_is_that_of_r() -> None:
    """R: ses(AirPassengers) has AICc 1733.958; its likelihood lacks the constant n (log(2 pi / n) + 1)."""
    _, score = _fit(_Form("add", None, False, None), airline(), 12)
    assert score - 144 * (np.log(2 * np.pi / 144) + 1) == pytest.approx(1733.958, abs=0.01)


def test_aicc_is_that_of_the_library_less_the_index_it_holds() -> None:
    """The last of the m first indices is held, and the library counts it among the free parameters."""
    values = airline()
    _, score = _fit(_Form("mul", "add", False, "mul"), values, 12)
    model = ETSModel(values, error="mul", trend="add", seasonal="mul", seasonal_periods=12)
    result = model.fit(disp=False)
    free = 2 + 12 - 1 + 3 + 1  # level, trend; indices; alpha, beta, gamma; variance
    expected = -2 * result.llf + 2 * free + 2 * free * (free + 1) / (144 - free - 1)
    assert score == pytest.approx(expected, abs=1e-6)
    assert score < result.aicc
    assert _fit(_Form("add", None, False, None), values[:3], 1)[1] == float("inf")


FORMS = list(_forms(airline(), 12))


def test_twelve_forms_are_tried_on_positive_values_and_six_on_others() -> None:
    words = {"".join("-" if part is None else str(part)[0] for part in form) for form in FORMS}
    none, season = ["a-F-", "aaF-", "aaT-"], ["a-Fa", "aaFa", "aaTa"]
    mul = ["m-F-", "maF-", "maT-", "m-Fm", "maFm", "maTm"]
    assert words == {*none, *season, *mul}
    assert len(FORMS) == 12
    assert len(list(_forms(airline() - 104, 12))) == 6
    assert {form.seasonal for form in _forms(airline()[:23], 12)} == {None}
    assert {form.seasonal for form in _forms(airline(), 25)} == {None}
    assert {form.seasonal for form in _forms(airline(), 1)} == {None}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_carried_states_give_the_librarys_forecasts_on_the_rows_up_to_each_cutoff(form: _Form) -> None:
    values = airline()
    parameters, _ = _fit(form, values[:120], 12)
    cutoffs = np.array([119, 120, 125, 131, 132, 137])
    found = _carried(form, parameters, values, _Job(values, 120, cutoffs, 27, 12))
    for cutoff, forecast in zip(cutoffs, found, strict=True):
        model = ETSModel(
            values[: cutoff + 1],
            error=form.error,
            trend=form.trend,
            damped_trend=form.damped,
            seasonal=form.seasonal,
            seasonal_periods=12 if form.seasonal else None,
        )
        assert forecast == pytest.approx(model.smooth(parameters).forecast(27), rel=1e-10)


def test_ets_is_the_librarys_best_form() -> None:
    """The form with the lowest AICc of the library on the training rows, forecast by the library."""
    values = growing_season()
    unit = 2.0 ** np.floor(np.log2(np.std(values[:76])))
    results = []
    for form in FORMS:
        model = ETSModel(
            values[:76] / unit,
            error=form.error,
            trend=form.trend,
            damped_trend=form.damped,
            seasonal=form.seasonal,
            seasonal_periods=4 if form.seasonal else None,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.append(model.fit(disp=False))
    best = min(results, key=lambda result: result.aicc)
    assert best.seasonal == "mul"
    found = of_one(values, "ets", fit_end=76, season=4, rows=[75])
    assert found[0] == pytest.approx(unit * best.forecast(H), rel=1e-9)


def random_season(*, positive: bool, seed: int = 0) -> Floats:
    """Quarterly values with a level that wanders, and whose season is clear."""
    draw = np.random.default_rng(seed)
    level = draw.normal(size=120).cumsum() + (60 if positive else 0)
    return level + np.tile([9.0, -4.0, 2.0, -7.0], 30) + draw.normal(size=120)


def growing_season(seed: int = 0) -> Floats:
    """Quarterly values that grow, and the season with them: 80 rows, all above 0."""
    draw = np.random.default_rng(seed)
    level = np.exp(np.arange(80) / 40 + 0.02 * draw.normal(size=80).cumsum())
    return 100 * level * np.tile([1.3, 0.8, 1.1, 0.8], 20) * np.exp(0.02 * draw.normal(size=80))


@pytest.mark.parametrize(
    ("values", "season"),
    [
        (airline(), 12),
        (random_season(positive=True), 4),
        (random_season(positive=False), 4),
        (OIL, 1),
        (OIL, 12),
        (50 + np.tile(np.random.default_rng(0).normal(size=12), 3)[:33], 12),
    ],
    ids=["airline", "positive", "negative", "oil", "oil, too short for a year", "two seasons and a half"],
)
def test_theta_at_the_end_of_training_is_the_librarys(values: Floats, season: int) -> None:
    end = len(values) - 3
    seasonal = end >= 3 * season > 3
    model = ThetaModel(np.array(values[:end]), period=season, deseasonalize=seasonal)
    found = of_one(values, "theta", fit_end=end, season=season, rows=[end - 1])
    assert found[0] == pytest.approx(np.asarray(model.fit().forecast(H)), rel=1e-4)


@pytest.mark.parametrize("kind", ["multiplicative", "additive", "none"])
def test_theta_at_later_cutoffs_is_the_librarys_with_the_same_parameters(kind: str) -> None:
    """Level by a plain loop over seasonally adjusted rows; slope, alpha and indices of training rows."""
    season = 1 if kind == "none" else 4
    values = random_season(positive=kind != "additive")
    rows = [99, 100, 101, 102, 107, 114]
    model = ThetaModel(values[:100], period=4, deseasonalize=kind != "none")
    fitted = model.fit()
    slope, alpha = fitted.params
    index = np.asarray(fitted.forecast_components(4)["seasonal"])  # 100 rows: phase 0 comes next
    expected = []
    for row in rows:
        whole = index[np.arange(row + 1) % 4]
        adjusted = values[: row + 1] / whole if kind != "additive" else values[: row + 1] - whole
        level = adjusted[0]
        for value in adjusted:
            level = alpha * value + (1 - alpha) * level
        later = ThetaModel(values[: row + 1], period=4, deseasonalize=kind != "none", method=model.method)
        indices = index if kind != "none" else np.empty(0)
        result = ThetaModelResults(slope, alpha, None, np.array([level]), indices, False, later)
        expected.append(np.asarray(result.forecast(H)))
    found = of_one(values, "theta", fit_end=100, season=season, rows=rows)
    assert found == pytest.approx(np.array(expected), rel=1e-4)


def changed_after(panel: Panel, row: int) -> Panel:
    values = panel.values.copy()
    values[row + 1 :] = -1e6 * values[row + 1 :]
    return replace(panel, values=values, observed=panel.observed ^ True)


@pytest.mark.parametrize("name", STATISTICAL)
def test_nothing_after_a_cutoff_reaches_its_forecast(name: str) -> None:
    """Also where a multiplicative season was chosen, with which values below 0 do not go together."""
    panel = panel_of(growing_season(), growing_season(1))
    rows = [59, 60, 70, 139, 145]
    ends, names = [60, 140], [name]
    before = forecasts(panel, fit_end=ends, season=4, rows=[*rows, 79, 159], names=names).forecasts[name]
    for last in (59, 70, 139, 145):
        mine = [row for row in rows if row <= last and (row >= 80) == (last >= 80)]
        changed = changed_after(panel, last)
        after = forecasts(changed, fit_end=ends, season=4, rows=[*mine, 79, 159], names=names).forecasts[name]
        at = [rows.index(row) for row in mine]
        assert after[: len(mine)].tobytes() == before[at].tobytes(), last
        if last >= 80:
            assert after[len(mine)].tobytes() == before[-2].tobytes()


def test_no_later_cutoff_changes_an_earlier_forecast() -> None:
    panel = panel_of(growing_season())
    together = forecasts(panel, fit_end=[60], season=4, rows=range(59, 80))
    for row in (59, 66):
        alone = forecasts(panel, fit_end=[60], season=4, rows=[row])
        for name in STATISTICAL:
            assert alone.forecasts[name][0].tobytes() == together.forecasts[name][row - 59].tobytes()


def test_a_cutoff_before_the_end_of_the_fitted_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="cutoff lies before the end"):
        forecasts(panel_of(airline()), fit_end=[120], season=12, rows=[118])
    with pytest.raises(ValueError, match="no such forecast: naive; there are"):
        forecasts(panel_of(OIL), fit_end=[10], season=1, rows=[10], names=["ets", "naive"])


@pytest.mark.parametrize("name", STATISTICAL)
def test_only_the_last_thousand_training_rows_are_fitted(name: str) -> None:
    values = random_walks(1100, seed=4).values[:, 0]
    other = np.concatenate([values[:90] * 1e3, values[90:]])
    rows = [1089, 1095]
    found = of_one(values, name, fit_end=1090, season=1, rows=rows)
    assert of_one(other, name, fit_end=1090, season=1, rows=rows).tobytes() == found.tobytes()
    longer = np.concatenate([values[:91] * 1e3, values[91:]])
    assert of_one(longer, name, fit_end=1090, season=1, rows=rows).tobytes() != found.tobytes()


@pytest.mark.parametrize("name", STATISTICAL)
def test_series_that_cannot_be_fitted_are_named_and_forecast_naively(name: str) -> None:
    nothing, still, short = [3.0, 4.0], [5.0] * 30 + [6.0], [1.0, 2.0, 3.0]
    panel = panel_of(still, OIL, nothing, short)
    rows = [30, 31 + 17, 31 + 18 + 1, 31 + 18 + 2]
    found = forecasts(
        panel, fit_end=[30, 31 + 15, 31 + 18, 31 + 18 + 2 + 1], season=1, rows=rows, names=[name]
    )
    assert found.failed == {name: (0, 2, 3)}
    assert found.forecasts[name][[0, 2]].tolist() == [[6.0] * H, [4.0] * H]
    assert found.forecasts[name][1] == pytest.approx(
        of_one(OIL, name, fit_end=15, season=1, rows=[17])[0], rel=1e-12
    )


def test_a_multiplicative_season_ends_with_the_first_value_that_is_not_positive() -> None:
    values = growing_season()
    values[70] = 0.0
    rows = [65, 69, 70, 71, 79]
    found = forecasts(panel_of(values), fit_end=[60], season=4, rows=rows, names=["ets"])
    naive = np.repeat(values[rows][:, None], H, axis=1)
    same = (found.forecasts["ets"] == naive).all(axis=1)
    assert same.tolist() == [False, False, True, True, True]
    assert found.failed == {"ets": ()}


def test_a_value_below_zero_does_not_end_a_model_without_a_multiplicative_season() -> None:
    """Fitted with a multiplicative error, for which the library itself takes positive values only."""
    form = _Form("mul", "add", False, None)
    values = airline()
    parameters, _ = _fit(form, values[:120], 1)
    before = _carried(form, parameters, values, _Job(values, 120, np.array([119, 124]), H, 1))
    values[125] = -1.0
    after = _carried(form, parameters, values, _Job(values, 120, np.array([119, 124, 125, 130]), H, 1))
    assert after[:2].tobytes() == before.tobytes()
    assert np.isfinite(after).all()


@pytest.mark.parametrize("name", STATISTICAL)
def test_the_unit_of_the_values_does_not_matter(name: str) -> None:
    values = random_season(positive=True)
    found = of_one(values, name, fit_end=100, season=4, rows=[99, 110])
    for factor in (2.0**-90, 2.0**90):
        scaled = of_one(values * factor, name, fit_end=100, season=4, rows=[99, 110])
        assert np.array_equal(scaled, found * factor)


def test_small_moves_on_a_high_level_are_seen() -> None:
    """A season of a hundredth around 1e8: the additive forms count from the first value."""
    values = 2.0**27 + np.round(random_season(positive=False) * 64) / 2**12
    found = of_one(values, "ets", fit_end=100, season=4, rows=range(99, 115))
    actual = values[np.arange(99, 115)[:, None] + 1 + np.arange(H)]
    last = values[99:115, None]
    assert np.abs(found - actual).mean() < 0.5 * np.abs(last - actual).mean()


def test_the_level_of_additive_forms_does_not_matter() -> None:
    """Values below 0 admit no others. The numbers are exact in binary at both levels."""
    values = np.round(random_season(positive=False) * 64) / 64
    rows = range(99, 115)
    low = of_one(values - 2.0**20, "ets", fit_end=100, season=4, rows=rows)
    lower = of_one(values - 2.0**28, "ets", fit_end=100, season=4, rows=rows)
    assert low + 2.0**20 == pytest.approx(lower + 2.0**28, abs=1e-6)


def test_every_series_has_its_own_model() -> None:
    panel = panel_of(growing_season(), OIL)
    both = forecasts(panel, fit_end=[60, 80 + 15], season=4, rows=[80 + 17, 65, 80 + 15, 60])
    for name in STATISTICAL:
        first = of_one(growing_season(), name, fit_end=60, season=4, rows=[65, 60])
        second = of_one(OIL, name, fit_end=15, season=4, rows=[17, 15])
        assert np.array_equal(both.forecasts[name][[1, 3]], first)
        assert np.array_equal(both.forecasts[name][[0, 2]], second)


def test_without_windows_there_is_nothing_to_fit() -> None:
    found = forecasts(panel_of(OIL), fit_end=[10], season=1, rows=[])
    assert found.failed == {"ets": (), "theta": ()}
    assert found.forecasts["ets"].shape == (0, H)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(ResourceError) as caught:
        forecasts(panel_of(OIL), fit_end=[10], season=1, rows=[12])
    assert (caught.value.id, caught.value.code) == ("resource.extra", 16)
    assert caught.value.hint.startswith("type pip install 'lstm-forecast[baselines]'")
    with pytest.raises(ResourceError, match="statsmodels, which is not installed"):
        require_library()
