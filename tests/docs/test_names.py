"""Every name in backticks that is of some kind is there: a setting, an object, an error, a file."""

import inspect
import re

import pytest
from minio.credentials import providers

from data.breweries.flow import FLOW
from data.medallion.lake.partitions import Partitioning
from data.medallion.lake.runs import RUN
from tests.docs import code
from tests.docs.pages import GUIDE, PAGES, ROOT, Page, is_command

FILES = {
    *(path.name for path in (*code.CODE, *(page.path for page in PAGES))),
    *(key.rpartition("/")[2] for key in code.OBJECTS),
}
IGNORED = tuple(
    line.strip("/")
    for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)


def is_variable(name: str, page: Page) -> bool:
    variable = name.partition("=")[0]
    if variable.startswith("DASK_") and variable not in code.VARIABLES:
        return _is_of_dask(variable)
    if variable.startswith("AWS_") and variable not in code.VARIABLES:
        return f'"{variable}"' in code.TEXT + inspect.getsource(providers)
    return variable in code.VARIABLES | code.CONSTANTS


def _is_of_dask(variable: str) -> bool:
    import dask
    import distributed  # noqa: F401 - brings its settings

    key = variable.removeprefix("DASK_").lower().replace("__", ".")
    return dask.config.get(key, default=dask) is not dask


def is_partition(name: str, page: Page) -> bool:
    partitioning = Partitioning(FLOW.table.partition_schema)
    return partitioning.path(partitioning.of_key(f"{name}/")) == name


def is_file(name: str, page: Page) -> bool:
    """Whether it is one here, `<...>` standing for what differs, or one that runs leave behind."""
    name = re.sub(r"<\w+>", "*", name.removeprefix("./"))
    return (
        any(ROOT.glob(name))
        or (page.path.parent / name).exists()
        or name.startswith(IGNORED)
        or ("/" not in name and name in FILES)
    )


def is_method(name: str, page: Page) -> bool:
    kind, _, method = name.partition(".")
    return kind in code.CLASSES and method in code.METHODS


TOP = "|".join(map(re.escape, (*code.FOLDERS, "docs", ".ci", ".sandbox", ".venv")))
KINDS = {
    RUN: lambda *_: True,
    r"(bronze|silver|gold)/\w+": lambda name, _: name in {d.path for d in FLOW.datasets},
    r"[A-Z]+_\*": lambda name, _: any(known.startswith(name[:-1]) for known in code.VARIABLES),
    r"[A-Z][A-Z0-9_]+(=.*)?": is_variable,
    r"(bronze|silver|gold|<layer>)/.+": lambda name, _: code.is_object(name),
    r"<FLOW>_\w+": lambda name, _: name.removeprefix("<FLOW>_") in code.OF_A_FLOW,
    r"country=[^<…].*": is_partition,
    r"lake_\w+(\{[\w,]+\})?": lambda name, _: name in code.METRICS,
    r"([A-Z][a-z]+){2,}": lambda name, _: name in code.ERRORS | code.ALERTS | code.CLASSES,
    r"[A-Z]\w+\.\w+": is_method,
    rf"({TOP})/.*|(?!/)[\w./<>-]*[\w>]\.(csv|json|lock|md|png|py|svg|toml|txt|ya?ml)": is_file,
}
"""Pattern of a name to what it must be; the first that fits counts."""


def is_there(name: str, page: Page) -> bool:
    kinds = (known for pattern, known in KINDS.items() if re.fullmatch(pattern, name))
    return next(kinds, lambda *_: True)(name, page)


# The changelog tells of names that are gone.
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.original not in (GUIDE, "CHANGELOG.md")], ids=str
)
def test_every_name_is_there(page):
    names = {name for name in page.names if not is_command(name)}
    assert not {name for name in names if not is_there(name, page)}


@pytest.mark.parametrize(
    "name",
    [
        "BREWERIES_NO_SETTING", "MINIO_SECURELY=true", "NO_CONSTANT", "DASK_DISTRIBUTED__NONE",
        "bronze/data/breweries/raw.json", "<layer>/locks/<dataset>.json", "silver/data/brewery/",
        "country=Austria/state=Kärnten",
        "lake_layer_gone", "lake_up{layer}", "<FLOW>_STORE_CONNECTIONS", "BREWERIES_PROCESSES",
        "NoSuchError", "Lake.vanish",
        "data/breweries/none.py", "none.py", "tests/none",
    ],
)  # fmt: skip
def test_a_name_that_is_not_there_is_seen(name):
    assert not is_there(name, PAGES[0])
