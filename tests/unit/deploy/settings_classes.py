"""The settings class of each service, found where the layout says that it is."""

import importlib
import inspect

from pydantic_settings import BaseSettings

SERVICES = ("registry", "matching", "gateway")


def settings_class(service: str) -> type[BaseSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    own = [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, BaseSettings) and found.__module__ == module.__name__
    ]
    assert len(own) == 1, f"services.{service}.settings has {own}"
    return own[0]


def variables(service: str) -> set[str]:
    return {f"SPARELINE_{name.upper()}" for name in settings_class(service).model_fields}


def required_variables(service: str) -> set[str]:
    fields = settings_class(service).model_fields
    return {f"SPARELINE_{name.upper()}" for name, field in fields.items() if field.is_required()}
