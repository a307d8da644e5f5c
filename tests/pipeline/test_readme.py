"""The README's programs, run as they stand there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_reads_the_lake(world, store, capsys):
    if store.get("MINIO_SECURE") == "true":
        pytest.skip("the README reads a store without TLS")
    world.run(test=False)
    file = world.folder / "store.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in store.items()))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    program = "\n".join(blocks).replace(".sandbox/demo/store.env", str(file))
    names = {}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102 - our own README
    assert names["silver"].num_rows == 600
    assert set(names["silver"].column_names) >= {"id", "country", "state", "latitude"}
    printed = capsys.readouterr().out
    assert "United States" in printed
