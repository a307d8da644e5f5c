"""PySpark on this machine, with as many threads as it has cores."""

from pathlib import Path
from typing import Any

from . import COLUMNS, COORDINATES, INVISIBLE, TEXTS, UNTIDY


def job(bronze: Path, folder: Path, aliases: Path) -> list[tuple[Any, ...]]:
    """Write silver, count gold."""
    import os
    import sys

    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession, Window
    from pyspark.sql import functions as f

    os.environ["PYSPARK_PYTHON"] = sys.executable  # of its workers, which may be another's
    session = (
        SparkSession.builder.master("local[*]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    # Spark has no NFC of its own. It reads the annotations, so they must not be texts.
    @f.pandas_udf("string")  # type: ignore[untyped-decorator]
    def nfc(texts: pd.Series) -> pd.Series:
        return texts.str.normalize("NFC")

    def tidy(name: str) -> Any:
        text = f.regexp_replace(f.col(name), UNTIDY[0], UNTIDY[1])
        text = f.regexp_replace(text, INVISIBLE, "")
        text = f.regexp_replace(text, r"[\p{Z}\p{Cc}]", " ")
        text = f.when(text.rlike(r"[^\x00-\x7f]"), nfc(text)).otherwise(text)
        return f.nullif(f.trim(text), f.lit(""))

    schema = ", ".join(f"{name} string" for name in (*TEXTS, *COORDINATES))
    lines = session.read.text(str(bronze)).where("value not in ('[', ']')")
    lines = lines.withColumn("position", f.monotonically_increasing_id())
    record = f.from_json(f.rtrim(f.col("value"), f.lit(",")), schema)
    rows: DataFrame = lines.select("position", record.alias("record")).select(
        "position", "record.*"
    )
    rows = rows.withColumns({name: tidy(name) for name in TEXTS})
    rows = rows.withColumns(
        {
            "brewery_type": f.lower("brewery_type"),
            "state": f.coalesce("state_province", "state"),
            **{
                name: f.when(f.abs(f.col(name).cast("double")) <= bound, f.col(name).cast("double"))
                for name, bound in COORDINATES.items()
            },
        }
    )
    same = session.read.csv(str(aliases), header=True).drop("why")
    rows = rows.join(f.broadcast(same), ["country", "state"], "left")
    rows = rows.withColumn("state", f.coalesce("same_as_state", "state"))
    rows = rows.dropna(subset=["id", "name", "country", "state"])
    newest = Window.partitionBy("id").orderBy(f.desc("position"))
    rows = rows.withColumn("newest", f.row_number().over(newest)).where("newest = 1")
    target = str(folder / "silver")
    (
        rows.select(*COLUMNS)
        .repartition("country", "state")
        .sortWithinPartitions("country", "state", "id")
        .write.partitionBy("country", "state")
        .option("compression", "zstd")
        .parquet(target)
    )
    silver = session.read.option("basePath", target).schema(
        ", ".join(f"{name} string" for name in ("brewery_type", "country", "state"))
    )
    counted = silver.parquet(target).groupBy("country", "state", "brewery_type").count()
    return [tuple(row) for row in counted.collect()]
