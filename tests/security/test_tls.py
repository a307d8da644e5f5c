"""https with a certificate of one's own, to store, API and login; what is wrong with it is told."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from data.breweries.flow import FLOW
from data.medallion.lake.errors import KeysUnavailable, StoreUnreachable
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from data.medallion.source.api import Api
from data.medallion.source.auth import ClientCredentials
from data.medallion.source.client import Client
from data.medallion.source.errors import ApiGaveUp, ApiTokenRefused
from data.medallion.source.exchange import Request
from tests.answers import Answer, serving
from tests.faults.proxy import StoreProxy
from tests.stations import STATIONS


@pytest.fixture
def authority(tmp_path):
    return authority_in(tmp_path)


def authority_in(folder):
    """The PEM file of a certificate for 127.0.0.1 that vouches for itself, and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
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
    files = folder / "store.crt", folder / "store.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def vouched_for(authority):
    """What a server of https is made with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    return context


@pytest.fixture
def https(world, store, authority):
    """The store behind https; its settings."""
    with StoreProxy(store["MINIO_ENDPOINT"], vouched_for(authority)) as proxy:
        yield {"MINIO_ENDPOINT": proxy.endpoint, "MINIO_SECURE": "true"}


def test_one_authority_is_trusted_of_store_and_api(world, https, authority):
    world.set(**https, LAKE_CA_FILE=authority[0])
    _, _, host, path = world.api.url.split("/", 3)
    with StoreProxy(host, vouched_for(authority)) as proxy:
        world.set(BREWERIES_API_URL=f"https://{proxy.endpoint}/{path}")
        world.run()
    assert world.manifest(FLOW.silver).rows_out == 600


@pytest.mark.parametrize(
    ("of_https", "secure", "said"),
    [
        (True, "true", r"CERTIFICATE_VERIFY_FAILED.*LAKE_CA_FILE"),
        (True, "false", "MINIO_SECURE"),
        (False, "true", r"(?i)wrong.version.*MINIO_SECURE"),
    ],
)
def test_wrong_https_to_the_store_is_named(world, https, store, of_https, secure, said):
    world.set(**{**(https if of_https else store), "MINIO_SECURE": secure})
    with pytest.raises(StoreUnreachable, match=said):
        world.run()
    assert len(world.spooled()) == 1


def test_the_authority_is_trusted_of_a_login_and_beside_those_of_the_machine(
    authority, tmp_path, monkeypatch
):
    login = Answer('{"access_token": "t", "token_type": "Bearer", "expires_in": 60}')
    (tmp_path / "machine").mkdir()
    of_the_machine = authority_in(tmp_path / "machine")
    monkeypatch.setenv("STATIONS_API_CLIENT_ID", "program")
    monkeypatch.setenv("STATIONS_API_CLIENT_SECRET", "secret")
    monkeypatch.setenv("STATIONS_API_ATTEMPTS", "1")
    with (
        serving(lambda _: login, context=vouched_for(authority)) as tokens,
        serving(lambda _: Answer("no", 403), context=vouched_for(of_the_machine)) as api,
    ):
        monkeypatch.setenv("STATIONS_API_URL", api.url)
        dialect = Api(title="", url="", auth=ClientCredentials(tokens.url))

        def ask():
            with Client(dialect, STATIONS.load_settings()) as client:
                client.send(Request(api.url), lambda answer: answer)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(of_the_machine[0]))
        with pytest.raises(ApiGaveUp, match=r"CERTIFICATE_VERIFY_FAILED.*API_URL and LAKE_CA_FILE"):
            ask()
        monkeypatch.setenv("LAKE_CA_FILE", str(authority[0]))
        with pytest.raises(ApiTokenRefused) as caught:
            ask()
    both = "STATIONS_API_CLIENT_ID and STATIONS_API_CLIENT_SECRET"
    assert f"{both} are not accepted; set them to what" in str(caught.value)


def test_the_authority_is_trusted_of_what_gives_a_role_its_keys(authority, tmp_path, monkeypatch):
    identity = tmp_path / "identity"
    identity.write_text("pod")
    for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.setenv(name, "")
    with serving(lambda _: Answer("no", 403), context=vouched_for(authority)) as server:
        monkeypatch.setenv("MINIO_ENDPOINT", "127.0.0.1:1")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(identity))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        for file, problem in (
            ("", "CERTIFICATE_VERIFY_FAILED"),
            (str(authority[0]), "status code 403"),
        ):
            monkeypatch.setenv("LAKE_CA_FILE", file)
            with pytest.raises(KeysUnavailable, match=problem):
                Lake.connect(LakeSettings.load(), retry_more=False).store.listed("gold", "")
