"""Where the buckets are: with a prefix, in a region, with their name in the host."""

from typing import Any

import pytest

from data.medallion.lake.datasets import LAYERS
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings


def test_buckets_have_the_prefix_of_the_settings(world):
    world.set(LAKE_BUCKET_PREFIX="acme-")
    lake = Lake.connect(LakeSettings.load())
    try:
        world.run()
        assert not any(world.keys(layer) for layer in LAYERS)
        store: Any = lake.store
        buckets = {bucket.name for bucket in store._client.list_buckets()}
        assert buckets >= {f"acme-{layer}" for layer in LAYERS}
        assert all(lake.store.listed(layer, "data/") for layer in LAYERS)
    finally:
        for layer in LAYERS:
            lake.store.remove(layer, list(lake.store.listed(layer, "")))
            store._client.remove_bucket(f"acme-{layer}")


def address(**settings):
    """Of an object of gold, without its signature."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MINIO_ACCESS_KEY": "k", "MINIO_SECRET_KEY": "s", **settings}.items():
            patch.setenv(name, value)
        store: Any = Lake.connect(LakeSettings.load()).store
    url = store._client._base_url.build(
        method="GET", region="sa-east-1", bucket_name=store._bucket("gold"), object_name="data/x"
    )
    return f"{url.scheme}://{url.netloc}{url.path}"


def test_a_bucket_stands_in_the_path_or_in_the_host():
    ours = {"MINIO_ENDPOINT": "store.example:9000", "LAKE_BUCKET_PREFIX": "acme-"}
    assert address(**ours) == "http://store.example:9000/acme-gold/data/x"
    in_host = address(**ours, MINIO_VIRTUAL_HOST_STYLE="true")
    assert in_host == "http://acme-gold.store.example:9000/data/x"


def test_a_store_on_aws_is_asked_in_its_region():
    ours = {"MINIO_ENDPOINT": "s3.amazonaws.com", "MINIO_SECURE": "true"}
    region = {"MINIO_REGION": "sa-east-1", "LAKE_BUCKET_PREFIX": "acme-"}
    assert address(**ours, **region) == "https://acme-gold.s3.sa-east-1.amazonaws.com/data/x"
