"""From a folder of pictures to a convolutional neural network that you can see inside.

    import striate

    run = striate.train("cells", minutes=3)       # a folder of class folders
    model = striate.load(run.folder)              # or a model file
    model.predict("new/picture.tif")

The public names are loaded when they are first used, so `import striate` costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_PLACES = {
    "Model": "striate.export.model",
    "Run": "striate.train.run",
    "StriateError": "striate.errors",
    "check": "striate.check",
    "filters": "striate.inside.filters",
    "heatmap": "striate.inside.heatmap:heatmap",
    "load": "striate.export.model:load_model",
    "network": "striate.network",
    "open": "striate.serve.start:open_page",
    "serve": "striate.serve",
    "trace": "striate.inside.trace:trace",
    "train": "striate.train",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'striate' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, attribute = _PLACES[name].partition(":")
    loaded = import_module(module)
    value = loaded if module.endswith(f".{name}") and not attribute else getattr(loaded, attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
