"""The code that the documents speak of: its text, and what it calls things."""

import re
from pathlib import Path

import yaml

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LOGS, SCRATCH
from data.medallion.settings import FlowSettings, LakeSettings
from monitoring.metrics import names
from tests.docs.pages import ROOT

FOLDERS = ("benchmarks", "compose", "data", "image", "monitoring", "sandbox", "setup", "tests")
FILES = (
    ".ci/run", ".env.example", "Dockerfile", "Makefile", "docker-compose.yml", "pyproject.toml",
    "setup/environment.sh",
)  # fmt: skip
TEXTS = {".csv", ".json", ".py", ".svg", ".template", ".toml", ".txt", ".yaml", ".yml"}


def _files() -> list[Path]:
    """All but what runs leave behind, and these tests, which name what is not there."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    parts = {path: path.relative_to(ROOT).parts for path in found if path.suffix in TEXTS}
    own = [
        path
        for path, names in parts.items()
        if names[:2] != ("tests", "docs") and not any(name.startswith(".") for name in names)
    ]
    return sorted([*own, *(ROOT / name for name in FILES), *ROOT.glob("docs/*.json")])


CODE = {path: path.read_text(encoding="utf-8") for path in _files()}
TEXT = "\n".join(CODE.values())
CLASSES = set(re.findall(r"^ *class (\w+)", TEXT, re.MULTILINE))
METHODS = set(re.findall(r"^ +def (\w+)", TEXT, re.MULTILINE))
CONSTANTS = set(re.findall(r"^([A-Z][A-Z0-9_]+)\b[^=\n]*= ", TEXT, re.MULTILINE))

MAKEFILE = CODE[ROOT / "Makefile"]
TARGETS = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))

OF_THE_LAKE = {
    str(field.validation_alias): field.default for field in LakeSettings.model_fields.values()
}
OF_A_FLOW = {
    str(field.validation_alias): field.default
    for field in FlowSettings.model_fields.values()
    if field.validation_alias
}
"""Without the flow's name in front."""

SETTINGS = OF_THE_LAKE | {
    f"{FLOW.prefix}{name}": default
    for name, default in {
        **OF_A_FLOW,
        "API_URL": FLOW.api.url,
        "API_PAGE_SIZE": FLOW.api.page_size,
        "API_REQUESTS_PER_MINUTE": FLOW.api.requests_per_minute,
    }.items()
}
"""Each setting to its default."""

COMPOSE = CODE[ROOT / "docker-compose.yml"]
SERVICES = yaml.safe_load(COMPOSE)["services"]
COMPOSE_SETTINGS = dict(re.findall(r"\$\{(\w+):[-?]([^}]*)\}", COMPOSE)) | {"COMPOSE_PROFILES": ""}
VARIABLES = {
    *(SETTINGS | COMPOSE_SETTINGS),
    *(name for service in SERVICES.values() for name in service.get("environment", {})),
    *re.findall(r"\b([A-Z_]+)=", CODE[ROOT / "Dockerfile"]),
    *re.findall(r"\$\((?:value )?([A-Z_]+)\)", MAKEFILE),
    *re.findall(r"\$\{([A-Z_]+)-\}", CODE[ROOT / "setup/environment.sh"]),
}

OVERRIDES = dict(
    re.findall(
        r"""^  "([a-z][\w-]*)([<>=].*?|; python_version < '0')",""",
        CODE[ROOT / "pyproject.toml"].partition("[tool.uv]")[2],
        re.MULTILINE,
    )
)
"""What stands in the lock in place of what packages ask for."""

METRICS = {form for name in names() for form in (name, name.partition("{")[0])}
RULES = yaml.safe_load(CODE[ROOT / "monitoring/prometheus/rules.yml"])["groups"]
ALERTS = {rule["alert"] for group in RULES for rule in group["rules"]}
ERRORS = {
    name
    for path, text in CODE.items()
    if path.name == "errors.py"
    for name in re.findall(r"^class (\w+)", text, re.MULTILINE)
}

_PLACE = "/".join(f"{name}=<{name}>" for name in FLOW.table.partitions)
_COPIES = [(d, key) for d in FLOW.datasets for key in (d.object, *d.sidecars) if key]
OBJECTS = [
    f"bronze/{FLOW.bronze.earlier('<run>')}",
    f"silver/{FLOW.silver.folder}{_PLACE}/<hash>-<run>.parquet",
    f"silver/{SCRATCH}<run>/<piece>",
    *(f"{d.layer}/{d.log}<number>.json" for d in FLOW.datasets),
    *(f"{d.layer}/{d.named(key, '<hash>', '<run>')}" for d, key in _COPIES if d != FLOW.bronze),
    *(f"{d.layer}/{key}" for d, key in _COPIES),
    *(f"{d.layer}/{LOGS}<run>-{d.block}.json" for d in FLOW.datasets),
    *(f"{d.layer}/{key}" for d in FLOW.datasets for key in (d.manifest, d.lease, d.race)),
]
"""Every object that the code writes, `<...>` standing for what differs."""


def is_object(name: str) -> bool:
    """Whether a name is that of an object, or with a slash at its end, of some objects' prefix."""
    return any(fits(name, known) for known in OBJECTS)


def fits(name: str, known: str) -> bool:
    """Whether a name may be that of a known one; `<...>` and `*` stand for what differs in both."""
    wanted, found = name.rstrip("/").split("/"), known.split("/")
    if len(wanted) != len(found) and not (name.endswith("/") and len(wanted) < len(found)):
        return False
    return all(
        re.fullmatch(_open(w), f) or re.fullmatch(_open(f), w)
        for w, f in zip(wanted, found, strict=False)
    )


def _open(part: str) -> str:
    return ".+".join(map(re.escape, re.split(r"<\w+>|\*", part)))
