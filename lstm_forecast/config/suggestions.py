"""Which key a mistyped one most likely meant (by place, synonym, spelling), and the keys still to come."""

from collections.abc import Sequence
from dataclasses import dataclass

from lstm_forecast.config.models import KEYS, SECTIONS
from lstm_forecast.errors import nearest

PLANNED_SECTIONS = ("tune",)
PLANNED_KEYS = (
    "data.calendar",
    "training.compile",
    "tune.trials",
    "tune.timeout",
    "tune.storage",
    "tune.space",
)

# Names from other forecasting libraries, Keras and PyTorch, without underscores and capitals.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "schema_version": ("version", "schema", "configversion"),
    "run.name": ("runname", "experiment", "experimentname", "jobname"),
    "run.dir": ("rundir", "runsdir", "outputdir", "outdir", "savedir", "resultsdir", "checkpointdir"),
    "run.plots": ("plot", "makeplots", "drawplots"),
    "data.path": (
        "file",
        "filename",
        "filepath",
        "csv",
        "csvpath",
        "csvfile",
        "datapath",
        "input",
        "datafile",
        "data",
    ),
    "data.time": (
        "date",
        "dates",
        "datetime",
        "timestamp",
        "timecolumn",
        "datecolumn",
        "timecol",
        "datecol",
        "ds",
    ),
    "data.target": ("y", "label", "targetcolumn", "targetcol", "valuecolumn", "value", "column", "targets"),
    "data.series_id": (
        "id",
        "idcolumn",
        "idcol",
        "uniqueid",
        "itemid",
        "groupids",
        "groupid",
        "seriescolumn",
    ),
    "data.past_covariates": ("covariates", "features", "exogenous", "exog", "histexoglist", "regressors"),
    "data.future_covariates": ("knowncovariates", "futrexoglist", "futureexog", "futureregressors", "known"),
    "data.future_path": ("futurefile", "futurecsv", "future", "xfuture", "futrdf"),
    "data.static_covariates": ("staticfeatures", "statexoglist", "static", "staticcategoricals", "groups"),
    "data.calendar_features": ("timefeatures", "datefeatures", "calendarcovariates", "addencoders"),
    "data.holidays": ("holiday", "countryholidays", "holidaysfile", "countryholidaysname"),
    "data.separator": ("sep", "delimiter", "delim"),
    "data.decimal": ("decimalsign", "decimalpoint", "dec"),
    "data.header_row": ("header", "headerline"),
    "data.skip_rows": ("skiprows", "skip"),
    "data.date_format": ("dateformat", "timeformat", "datetimeformat", "strptime"),
    "data.timezone": ("tz", "zone", "tzinfo", "localtime", "timezones"),
    "data.resample.to": ("resampleto", "rule", "resamplefreq", "downsample", "aggregateto"),
    "data.resample.how": ("aggregation", "aggregate", "agg", "aggfunc", "resamplehow"),
    "data.na_values": ("nan", "nanvalues", "na", "nullvalues", "missingvalues"),
    "data.missing": ("fillna", "impute", "imputation", "fillmethod"),
    "data.frequency": ("freq", "interval", "granularity"),
    "data.max_bytes": ("maxsize", "maxfilesize"),
    "data.season": (
        "seasonality",
        "seasonalities",
        "seasonal",
        "period",
        "periods",
        "seasonlength",
        "seasonalperiod",
        "seasonalperiods",
        "seasonalityperiod",
        "sp",
        "m",
        "cycle",
    ),
    "data.transform": (
        "targettransform",
        "transformation",
        "transforms",
        "boxcox",
        "log1p",
        "logtransform",
    ),
    "split.validation": (
        "val",
        "valsplit",
        "valsize",
        "valratio",
        "validationsplit",
        "validationsize",
        "valfraction",
    ),
    "split.test": ("testsplit", "testsize", "testratio", "testfraction", "holdout"),
    "window.lookback": (
        "timesteps",
        "timestep",
        "lookback",
        "lookbackwindow",
        "seqlen",
        "seqlength",
        "sequencelength",
        "inputsize",
        "inputlength",
        "inputchunklength",
        "contextlength",
        "historylength",
        "window",
        "windowsize",
        "windowlength",
        "nsteps",
        "lags",
        "maxencoderlength",
    ),
    "window.horizon": (
        "predlen",
        "predictionlength",
        "outputsize",
        "outputchunklength",
        "forecasthorizon",
        "stepsahead",
        "h",
        "fh",
        "maxpredictionlength",
        "nforecasts",
    ),
    "window.stride": ("step", "stepsize", "shift"),
    "scaling.method": ("scaler", "scaling", "normalization", "scale", "scalertype"),
    "scaling.range": ("featurerange", "minmaxrange"),
    "model.cell": ("celltype", "rnntype", "unit", "layertype", "modeltype", "model"),
    "model.num_layers": ("layers", "nlayers", "numlayer", "nrnnlayers", "depth", "encodernlayers"),
    "model.hidden_size": (
        "units",
        "hidden",
        "hiddendim",
        "hiddenunits",
        "nunits",
        "nhidden",
        "neurons",
        "width",
        "encoderhiddensize",
        "numunits",
    ),
    "model.bias": ("usebias",),
    "model.nonlinearity": ("activation",),
    "model.dropout": ("dropoutrate", "dropoutprob", "dropoutp", "recurrentdropout"),
    "model.bidirectional": ("bidir", "bi", "bilstm"),
    "model.layer_norm": ("layernorm", "layernormalization", "uselayernorm"),
    "model.head_layers": ("dense", "denselayers", "denseunits", "fclayers", "fchidden", "decoderlayers"),
    "model.normalize": ("revin", "normalise", "differencing", "difference"),
    "model.anchor": ("residual", "skip", "naiveanchor"),
    "model.supervision": ("returnsequences", "manytomany"),
    "model.head": ("likelihood", "outputtype", "distribution", "probabilistic"),
    "model.quantiles": ("quantile", "percentiles", "percentile", "levels", "q", "taus", "quantilelevels"),
    "training.epochs": ("epoch", "nepochs", "numepochs", "maxepochs", "iterations", "maxiter"),
    "training.batch_size": ("batch", "batchsize", "bs", "minibatch"),
    "training.optimizer": ("optim", "optimiser", "opt"),
    "training.lr": ("learningrate", "eta", "stepsizelr", "alpha"),
    "training.weight_decay": ("wd", "l2", "regularization"),
    "training.loss": ("criterion", "lossfn", "lossfunction", "objective"),
    "training.clip_norm": (
        "clip",
        "gradclip",
        "gradientclip",
        "clipnorm",
        "gradientclipval",
        "clipgradnorm",
        "maxnorm",
    ),
    "training.patience": ("earlystopping", "earlystop", "earlystoppingpatience", "earlystoppatiencesteps"),
    "training.max_time": ("timelimit", "timeout", "maxseconds", "walltime"),
    "training.checkpoint_every": (
        "checkpoint",
        "checkpoints",
        "checkpointevery",
        "checkpointinterval",
        "saveevery",
        "saveinterval",
        "savesteps",
    ),
    "training.seed": ("randomseed", "randomstate", "rng"),
    "training.refit": ("refitfull", "retrain", "finalfit", "trainonall", "refitonall"),
    "training.ensemble": (
        "nmodels",
        "nummodels",
        "ensemblesize",
        "nensemble",
        "numseeds",
        "nseeds",
        "seeds",
    ),
    "training.tensorboard": (
        "tb",
        "logger",
        "logtensorboard",
        "usetensorboard",
        "tensorboarddir",
        "summarywriter",
    ),
    "training.threads": ("numthreads", "nthreads", "cpus", "cores", "numcores", "intraopthreads"),
    "training.device": ("accelerator", "gpu", "cuda", "usegpu"),
    "run.promote": ("promotion", "publish", "setcurrent", "makecurrent"),
    "evaluation.baselines": ("baseline", "benchmark", "benchmarks", "naivemodels", "comparewith"),
    "evaluation.origins": (
        "nwindows",
        "numwindows",
        "backtestwindows",
        "cutoffs",
        "folds",
        "nfolds",
        "nsplits",
        "backtest",
        "numbacktests",
    ),
    "evaluation.refit_every": ("refitevery", "retrainevery", "refit", "refitfrequency", "refitinterval"),
    "evaluation.gate": ("fallback", "gating", "baselinefallback", "fallbacktobaseline", "usebaseline"),
    "evaluation.fail_if_worse": ("failifworse", "requirebaseline", "failonworse"),
    "forecast.intervals.levels": (
        "level",
        "confidence",
        "confidencelevel",
        "confidencelevels",
        "coverage",
        "coverages",
        "alpha",
        "intervalwidth",
        "intervallevels",
        "predictioninterval",
        "predictionintervals",
        "pi",
        "ci",
    ),
    "forecast.intervals.method": ("intervalmethod", "conformal", "intervaltype"),
    "forecast.intervals.scale": ("intervalscale", "volatility", "adaptive"),
    "forecast.minimum": ("min", "floor", "lowerbound", "nonnegative", "clipmin"),
}

# Comparing is quadratic in the length, and no key is half as long.
_LONGEST_COMPARED = 60


@dataclass(frozen=True)
class Suggestion:
    """What to say about a key that the models do not have."""

    planned: bool
    keys: tuple[str, ...]


def suggest(key: str) -> Suggestion:
    """The keys that ``key`` (dotted, or bare at top level) most likely meant; planned ones are told apart."""
    if planned_name(key):
        return Suggestion(planned=True, keys=())
    section, _, name = key.rpartition(".")
    squashed = _squash(name)
    inside = f"{section}."
    # The name of an inner section may stand alone: intervals.levels.
    same_section = [k for k in KEYS if f".{inside}" in f".{k}"] if section else []
    named = [k for k in (*KEYS, *PLANNED_KEYS) if _squash(_last(k)) == squashed]
    synonyms = [k for k, names in _SYNONYMS.items() if squashed in names]
    for candidates in (
        [k for k in named if k in same_section],
        _by_spelling(name, [k for k in SECTIONS if k.startswith(inside)]),
        [k for k in synonyms if k in same_section],
        list(dict.fromkeys([*named, *synonyms])),
        _by_spelling(name, same_section),
        [] if section in SECTIONS else _by_spelling(name, ("schema_version", *SECTIONS)),
        _by_spelling(name, KEYS),
    ):
        if candidates:
            return Suggestion(planned=False, keys=tuple(candidates))
    return Suggestion(planned=False, keys=())


def planned_name(key: str) -> bool:
    """Whether the key, or the section it stands in, belongs to a later version."""
    parts = key.split(".")
    return parts[0] in PLANNED_SECTIONS or ".".join(parts[:2]) in PLANNED_KEYS


def _by_spelling(name: str, keys: Sequence[str]) -> list[str]:
    found = nearest(name[:_LONGEST_COMPARED], sorted({_last(key) for key in keys}))
    return [key for key in keys if _last(key) == found]


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _squash(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
