"""What docs/lake.md says of Spark, on a copy of the folder."""

import shutil

import pytest

from data.breweries.flow import FLOW
from data.medallion import read

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_spark_reads_the_folder_of_silver(past, tmp_path):
    sql = pytest.importorskip("pyspark.sql", reason="make bench installs it")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    store = past.world.lake.store
    for key in store.listed("silver", FLOW.silver.prefix):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(store.get("silver", key)[0])
    as_text = "spark.sql.sources.partitionColumnTypeInference.enabled"
    with (
        sql.SparkSession.builder.master("local[1]").config(as_text, "false").getOrCreate() as spark
    ):
        found = spark.read.parquet(str(tmp_path / FLOW.silver.prefix)).collect()
    whole = read.table("silver/breweries", ["id", "country", "state"]).to_pylist()
    rows = [{name: row[name] for name in whole[0]} for row in found]
    assert sorted(rows, key=str) == sorted(whole, key=str)
