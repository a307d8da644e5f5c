"""Each error says one sentence with a remedy, and its facts are fields."""

import inspect
import pickle
from importlib import import_module
from pkgutil import walk_packages

import pytest

from data import medallion
from data.medallion.errors import MedallionError

MODULES = [
    import_module(found.name)
    for found in walk_packages(medallion.__path__, "data.medallion.")
    if found.name.endswith(".errors")
]
SAYING = [
    error
    for module in MODULES
    for error in vars(module).values()
    if inspect.isclass(error) and error.__module__ == module.__name__
    if issubclass(error, MedallionError) and error is not MedallionError
    if hasattr(error, "says") or "__str__" in vars(error)
]


def test_each_package_has_errors_of_its_own():
    packages = {module.__name__.split(".")[2] for module in MODULES}
    assert packages == {"errors", "lake", "layers", "read", "source", "work"}
    assert len(SAYING) > 40


def made(error):
    """One of the kind, with facts of each field's type."""
    values = {
        "int": 3, "float": 1.5, "float | None": 1.5, "list[str]": ["a"], "bool": True,
        "dict[str, str]": {"c": "t"}, "list[dict[str, Any]]": [{"rule": "row_fall", "what": "w"}],
        "dict[str, dict[str, int]]": {"total": {"fetched": 1, "reported": 2}},
    }  # fmt: skip
    fields = error.__dataclass_fields__.items()
    return error(*(values.get(str(field.type), f"<{name}>") for name, field in fields))


@pytest.mark.parametrize("error", SAYING, ids=lambda error: error.__name__)
def test_it_says_one_text_and_survives_a_process_boundary(error):
    one = made(error)
    copy = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), copy.facts) == (error, str(one), one.facts)
    assert str(one).count("\n") == 0
    assert "{" not in str(one).replace("{'", "")
