"""The policies of docs/: what the pipeline's user and a reader may do, and nothing else."""

import io

import pytest
from minio.commonconfig import CopySource
from minio.error import S3Error

from data.breweries.flow import FLOW
from data.medallion import read
from data.medallion.lake.datasets import LAYERS
from data.medallion.lake.errors import StoreRefused
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from tests.security.conftest import client


@pytest.fixture
def root(users):
    """The store's root, with the layers made, and a bucket that is none of ours."""
    root = client(users["root"])
    for bucket in (*LAYERS, "other"):
        if not root.bucket_exists(bucket):
            root.make_bucket(bucket)
    root.put_object("other", "x", io.BytesIO(b"x"), 1)
    yield root
    for bucket in (*LAYERS, "other"):
        for found in list(root.list_objects(bucket, recursive=True)):
            root.remove_object(bucket, found.object_name)
    root.remove_bucket("other")


def test_the_whole_pipeline_works_with_its_policy(world, users, root):
    world.set(**users["store-policy"])
    world.run()
    world.api.records = world.api.records[:-50]
    world.run()
    world.run(snapshot=Lake.connect(LakeSettings.load()).version(FLOW.silver).snapshot)
    assert Lake.connect(LakeSettings.load()).version(FLOW.silver).rows_out == 550
    world.set(**users["store-policy-read"])
    assert len(read.table("silver/breweries", ["id"])) == 550


REFUSED = {
    "read another bucket": lambda c: c.get_object("other", "x"),
    "list another bucket": lambda c: list(c.list_objects("other")),
    "write to another bucket": lambda c: c.put_object("other", "y", io.BytesIO(b"x"), 1),
    "make a bucket": lambda c: c.make_bucket("another"),
    "remove a bucket": lambda c: c.remove_bucket("gold"),
    "change a bucket's policy": lambda c: c.set_bucket_policy("gold", '{"Statement": []}'),
    "copy from another bucket": lambda c: c.copy_object("gold", "x", CopySource("other", "x")),
}
REFUSED_TO_A_READER = {
    "write": lambda c: c.put_object("gold", "y", io.BytesIO(b"x"), 1),
    "remove": lambda c: c.remove_object("gold", "data/state_brewery_type/_manifest.json"),
}


@pytest.mark.parametrize("action", REFUSED)
@pytest.mark.parametrize("user", ["store-policy", "store-policy-read"])
def test_neither_user_may_do_anything_else(users, root, user, action):
    with pytest.raises(S3Error) as caught:
        REFUSED[action](client(users[user]))
    assert caught.value.code == "AccessDenied"


@pytest.mark.parametrize("action", REFUSED_TO_A_READER)
def test_a_reader_may_read_and_neither_write_nor_remove(users, root, action):
    root.put_object("gold", "data/state_brewery_type/_manifest.json", io.BytesIO(b"{}"), 2)
    reader = client(users["store-policy-read"])
    assert [o.object_name for o in reader.list_objects("gold", recursive=True)]
    assert reader.get_object("gold", "data/state_brewery_type/_manifest.json").read() == b"{}"
    with pytest.raises(S3Error) as caught:
        REFUSED_TO_A_READER[action](reader)
    assert caught.value.code == "AccessDenied"


def test_a_refusal_names_the_keys_to_check(world, users, root):
    world.set(**users["store-policy-read"])
    with pytest.raises(StoreRefused, match="check MINIO_ACCESS_KEY") as caught:
        Lake.connect(LakeSettings.load()).store.put("gold", "x", b"x")
    assert caught.value.code == "AccessDenied"
