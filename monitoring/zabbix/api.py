"""Zabbix's API as its Admin sees it."""

from __future__ import annotations

from typing import Any
from urllib.request import ProxyHandler, build_opener, install_opener

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed
from zabbix_utils import APIRequestError, ProcessingError, ZabbixAPI

from data.medallion.host.network import is_local

ADMIN = "Admin"
KNOWN_TO_ALL = "zabbix"  # Admin's password in every new Zabbix
SHORTEST = 8  # Zabbix refuses less
TICK_SECONDS = 2
# PostgreSQL has no statistics of a new Zabbix: some of its questions take a while.
ANSWER_SECONDS = 120


class ZabbixRefused(Exception):
    """Zabbix cannot be asked, or says no; the message says what to do."""


def log_in(url: str, password: str, patience: float = 0) -> ZabbixAPI:
    """Log in as Admin; where the password is still the one of every new Zabbix, replace it first.

    Args:
        url: of Zabbix's page.
        password: that Admin has, or gets.
        patience: seconds to wait for Zabbix to answer.

    Raises:
        ZabbixRefused: nobody answers, or the password is refused.
    """
    if len(password) < SHORTEST:
        raise ZabbixRefused(f"ZABBIX_PASSWORD needs {SHORTEST} characters or more: set it in .env.")
    # As of `session`, which zabbix_utils does not take: no proxy could reach what is local.
    install_opener(build_opener(ProxyHandler({} if is_local(url) else None)))
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type((ProcessingError, TimeoutError)),
            stop=stop_after_delay(patience),
            wait=wait_fixed(TICK_SECONDS),
            reraise=True,
        ):
            with attempt:
                return _enter(url, password)
    except (ProcessingError, TimeoutError) as error:
        raise ZabbixRefused(f"Zabbix does not answer at {url}: is it up? ({error})") from None
    raise AssertionError("an attempt returns or raises")


def _enter(url: str, password: str) -> ZabbixAPI:
    try:
        return _connect(url, password)
    except APIRequestError:
        _replace_what_all_know(url, password)
    api = _connect(url, password)
    _stop_watching_itself(api)
    return api


def _connect(url: str, password: str) -> ZabbixAPI:
    return ZabbixAPI(url, user=ADMIN, password=password, timeout=ANSWER_SECONDS)


def _replace_what_all_know(url: str, password: str) -> None:
    try:
        api = _connect(url, KNOWN_TO_ALL)
    except APIRequestError as error:
        raise ZabbixRefused(
            f"ZABBIX_PASSWORD is not the password of {ADMIN} at {url}: set the right one in .env. "
            f"(Zabbix: {error.data})"
        ) from None
    (admin,) = ask(api, "user.get", filter={"username": ADMIN}, output=["userid"])
    proof = {"current_passwd": KNOWN_TO_ALL} if api.version >= 6.4 else {}
    ask(api, "user.update", userid=admin["userid"], passwd=password, **proof)  # 7.0 logs out


def _stop_watching_itself(api: ZabbixAPI) -> None:
    """A new Zabbix watches the agent of its own machine, which need not be there."""
    for host in ask(api, "host.get", filter={"host": "Zabbix server"}, output=["hostid"]):
        ask(api, "host.update", hostid=host["hostid"], status=1)


def ask(api: ZabbixAPI, method: str, **parameters: Any) -> Any:
    """What a method of the API answers.

    Raises:
        ZabbixRefused: it says no.
    """
    try:
        return api.send_api_request(method, parameters)["result"]
    except APIRequestError as error:
        raise ZabbixRefused(f"Zabbix refuses {method}: {error.data}") from None
    except TimeoutError:
        raise ZabbixRefused(
            f"Zabbix did not answer {method} for {ANSWER_SECONDS} s: "
            "try again when its database is less busy."
        ) from None


def made(api: ZabbixAPI, kind: str, number: str, **wanted: Any) -> str:
    """The number of an object: of the one that has the wanted one's name, or of a new one.

    Args:
        api: Zabbix's.
        kind: of the object.
        number: what such objects call their number.
        wanted: its properties, the name first. An object that is there keeps its own.
    """
    name = next(iter(wanted))
    for found in ask(api, f"{kind}.get", filter={name: wanted[name]}, output=[number]):
        return str(found[number])
    return str(ask(api, f"{kind}.create", **wanted)[f"{number}s"][0])
