"""Folders that are also public functions: `striate.train` is a package and can be called."""

import sys
from importlib import import_module
from types import ModuleType


class CallableModule(ModuleType):
    """A module that calls a function of one of its own modules, which is loaded at the first call."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        module, _, name = self.__dict__["_function"].partition(":")
        return getattr(import_module(module), name)(*args, **kwargs)


def make_callable(package: str, function: str) -> None:
    """Let the package `package` be called as `function`, written "module:name".

    Python sets every imported subpackage as an attribute of its parent, so a function of the same name
    there would vanish as soon as anything imports the subpackage.
    """
    module = sys.modules[package]
    module.__dict__["_function"] = function
    module.__class__ = CallableModule
