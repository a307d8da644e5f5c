"""Every expression of the dashboards gives data by the real Prometheus, and a wrong one is seen."""

import os
import re
import shutil
import time
from urllib.parse import urlsplit

import pytest
import requests

from compose import monitoring
from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS
from tests.answers import Answer, serving
from tests.monitoring.boards import METRIC, ROOT, SAMPLES, expressions
from tests.monitoring.servers import SECRETS, exporter, prometheus, write_alertmanager
from tests.monitoring.stations import put_version
from tests.programs import needs_prometheus
from tests.waiting import wait_for

pytestmark = needs_prometheus

REAL_MINIO = "MINIO_ENDPOINT" in os.environ
NOBODY = "127.0.0.1:9"
NO_DATA = "ALERTS{", "max by(alertname"  # as long as nothing fires, which the dashboards say


class Asked:
    """A Prometheus, and what it gives at a moment."""

    def __init__(self, address):
        self.address = address

    def __call__(self, expression, at):
        """Values by labels."""
        answer = requests.get(
            f"http://{self.address}/api/v1/query", {"query": expression, "time": at}, timeout=30
        ).json()
        assert answer["status"] == "success", (expression, answer)
        found = answer["data"]["result"]
        return {str(sorted(each["metric"].items())): float(each["value"][1]) for each in found}

    def when(self, expression):
        """The moment at which an expression gives something, once it does."""

        def moment():
            now = time.time()
            return self(expression, now) and now

        return wait_for(moment, 240, 0.5)


@pytest.mark.waits
def test_every_expression_gives_data_and_a_renamed_metric_is_seen(world, tmp_path):
    write_alertmanager(tmp_path)  # MinIO's token too
    if REAL_MINIO:  # whose user that reads is made as the stack makes it
        (policies := tmp_path / "policies").mkdir()
        for file in ("store-policy-read.json", "store-policy-metrics.json"):
            shutil.copy(ROOT / "docs" / file, policies)
        monitoring.make_reader({**os.environ, **SECRETS}, policies)
    recorded = [file.read_text().splitlines(True) for file in SAMPLES]

    def answer(request):
        """Answers as a real one did after a run of the pipeline, and after the next one."""
        of_buckets = request.path.endswith("/bucket")
        told = [line for line in recorded[0] if line.startswith("minio_bucket_") == of_buckets]
        # Prometheus 3 wants a type.
        return Answer("".join(told), headers={"Content-Type": "text/plain; version=0.0.4"})

    with serving(answer, "") as stand_in, exporter(tmp_path) as seen:
        minio = os.environ["MINIO_ENDPOINT"] if REAL_MINIO else urlsplit(stand_in.url).netloc
        addresses = {"exporter": seen, "minio": minio, "alertmanager": NOBODY}
        with prometheus(tmp_path, **addresses) as address:
            ask = Asked(address)
            new = ask.when("rate(lake_up[1m]) and on() sum(rate(minio_s3_requests_total[1m]))")
            world.run()
            recorded.pop(0)
            after = ask.when(
                f"(count(lake_run_output_rows > 0) == {len(LAYERS)}) "
                "and on() (sum(rate(minio_s3_requests_total[1m])) > 0) "
                "and on() count(minio_bucket_usage_total_bytes)"
            )
            world.api.records = []
            world.fails(Exception, "bronze")
            failed = ask.when('ALERTS{alertstate="firing", alertname="LayerFailed"}')
            for dataset in FLOW.datasets:
                put_version(world.lake, dataset, b"{")
            unreadable = ask.when(f"count(lake_layer_up == 0) == {len(LAYERS)}")
            check(ask, (new, after, failed, unreadable))


def check(ask, moments):
    """Ask all: each gives data, but where none is meant; none the same with a name changed."""
    wrong = []
    for place, text in expressions(FLOW.name):
        given = [ask(text, moment) for moment in moments]
        numbers = [value == value for found in given for value in found.values()]
        if not any(numbers) or not (all(given) or text.startswith(NO_DATA)):
            wrong.append(f"{place}: no data for {text}: {given}")
        for name in set(METRIC.findall(text)):
            if REAL_MINIO and name.startswith("minio_"):  # which may never have failed at a request
                continue
            renamed = re.sub(rf"\b{name}\b", f"{name}_x", text)
            if [ask(renamed, moment) for moment in moments] == given:
                wrong.append(f"{place}: the same without {name}")
    assert not wrong, "\n".join(wrong)
