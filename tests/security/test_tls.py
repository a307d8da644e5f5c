"""MINIO_SECURE=true: https with a certificate of one's own, and what is wrong with it told."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from data.breweries.flow import FLOW
from data.medallion.lake.errors import StoreUnreachable
from tests.faults.proxy import StoreProxy


@pytest.fixture
def authority(tmp_path):
    """The PEM file of a certificate for 127.0.0.1 that vouches for itself, and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "store.crt", tmp_path / "store.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture
def https(world, store, authority):
    """The store behind https; its settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    with StoreProxy(store["MINIO_ENDPOINT"], context) as proxy:
        yield {"MINIO_ENDPOINT": proxy.endpoint, "MINIO_SECURE": "true"}


def test_the_pipeline_over_https(world, https, authority):
    world.set(**https, MINIO_CA_FILE=authority[0])
    world.run()
    assert world.manifest(FLOW.silver).rows_out == 600


def test_an_unknown_authority_is_refused_and_named(world, https):
    world.set(**https)
    with pytest.raises(StoreUnreachable, match=r"CERTIFICATE_VERIFY_FAILED.*MINIO_CA_FILE"):
        world.run()
    assert len(world.spooled()) == 1


def test_http_to_a_store_of_https_is_told(world, https):
    world.set(**{**https, "MINIO_SECURE": "false"})
    with pytest.raises(StoreUnreachable, match="MINIO_SECURE"):
        world.run()


def test_https_to_a_store_of_http_is_told(world, store):
    world.set(MINIO_SECURE="true")
    with pytest.raises(StoreUnreachable, match=r"(?i)wrong.version.*MINIO_SECURE"):
        world.run()
