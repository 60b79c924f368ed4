"""Folders that are also public functions: `striate.train` is a package and can be called."""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType


class CallableModule(ModuleType):
    # Calls a function of one of its own modules, which is loaded when it is called or asked about.
    @property
    def __wrapped__(self) -> Callable:  # where inspect, notebooks and editors look for arguments
        module, _, name = self.__dict__["_function"].partition(":")
        return getattr(import_module(module), name)

    @property
    def __doc__(self) -> str:  # `help` shows a module by its text alone
        return f"{inspect.getdoc(self.__wrapped__)}\n\n{self.__name__}{inspect.signature(self)}"

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.__wrapped__(*args, **kwargs)


def make_callable(package: str, function: str) -> None:
    """Let the package `package` be called as `function`, written "module:name".

    Python sets every imported subpackage as an attribute of its parent, so a function of the same name
    there would vanish as soon as anything imports the subpackage.
    """
    module = sys.modules[package]
    module.__dict__["_function"] = function
    module.__class__ = CallableModule
