"""Set Zabbix up to watch the lake and to send messages. A second set-up changes nothing.

The template and the ways to tell are ours, and made as they are here. The host, the user's other
media, and the action stay as their owner left them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from zabbix_utils import ZabbixAPI

from .api import ZabbixRefused, ask, made

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "template.yaml"
MEDIA_TYPES = FOLDER / "media-types.yaml"
TEMPLATE_NAME = "Lake by HTTP"
NAME = "Lake"
SLACK, MAIL = "Lake: Slack", "Lake: mail"
SLACK_MACRO = "{$LAKE.SLACK_URL}"
MAIL_SETTINGS = ("ALERT_EMAIL_FROM", "ALERT_SMTP_HOST", "ALERT_SMTP_PORT")
SECRET = 1
READ, NO_PAGE, USER_ROLE = 2, 3, 1
ALWAYS = {"active": 0, "severity": 63, "period": "1-7,00:00-24:00"}
ALL = {"createMissing": True, "updateExisting": True}
ALL_AND_NO_OTHER = {**ALL, "deleteMissing": True}


def set_up(api: ZabbixAPI, settings: Mapping[str, str], exporter: str) -> list[str]:
    """Set Zabbix up to watch an exporter; returns the kinds of messages that it sends.

    Raises:
        ZabbixRefused: a setting is missing, or Zabbix says no.
    """
    addresses = _addresses(settings)
    _import_template(api)
    group = made(api, "hostgroup", "groupid", name=NAME)
    _make_host(api, group, exporter)
    _keep_secret(api, SLACK_MACRO, settings.get("ALERT_SLACK_URL", ""))
    _import_media_types(api, settings, list(addresses))
    _make_action(api, _user(api, group, addresses))
    return list(addresses)


def _addresses(settings: Mapping[str, str]) -> dict[str, Any]:
    """The addresses of messages by their kind; only those that are set."""
    addresses: dict[str, Any] = {}
    if settings.get("ALERT_SLACK_URL"):
        addresses[SLACK] = "the address in the macro"
    if settings.get("ALERT_EMAIL_TO"):
        for name in MAIL_SETTINGS:
            if not settings.get(name):
                raise ZabbixRefused(f"ALERT_EMAIL_TO is set, but {name} is not: set it in .env.")
        addresses[MAIL] = [one.strip() for one in settings["ALERT_EMAIL_TO"].split(",")]
    return addresses


def _import_template(api: ZabbixAPI) -> None:
    rules = {
        # A group of templates is a kind of its own since 6.2.
        "groups" if api.version < 6.2 else "template_groups": ALL,
        "templates": ALL,
        "valueMaps": ALL_AND_NO_OTHER,
        "items": ALL_AND_NO_OTHER,
        "discoveryRules": ALL_AND_NO_OTHER,
        "triggers": ALL_AND_NO_OTHER,
    }
    _import(api, TEMPLATE.read_text(encoding="utf-8"), rules)


def _import_media_types(api: ZabbixAPI, settings: Mapping[str, str], names: list[str]) -> None:
    shipped = yaml.safe_load(MEDIA_TYPES.read_text(encoding="utf-8"))
    content = shipped["zabbix_export"]
    content["media_types"] = [t for t in content["media_types"] if t["name"] in names]
    for media_type in content["media_types"]:
        if media_type["name"] == MAIL:
            media_type.update(_mail_server(settings))
    if names:
        _import(api, yaml.safe_dump(shipped), {"mediaTypes": ALL})


def _mail_server(settings: Mapping[str, str]) -> dict[str, str]:
    encrypted = settings.get("ALERT_SMTP_STARTTLS", "true").lower() == "true"
    server = {
        "smtp_server": settings["ALERT_SMTP_HOST"],
        "smtp_port": settings["ALERT_SMTP_PORT"],
        "smtp_email": settings["ALERT_EMAIL_FROM"],
        "smtp_helo": settings["ALERT_EMAIL_FROM"].rpartition("@")[2],
        "smtp_security": "STARTTLS" if encrypted else "NONE",
        "smtp_verify_host": "YES" if encrypted else "NO",
        "smtp_verify_peer": "YES" if encrypted else "NO",
    }
    if settings.get("ALERT_SMTP_USER"):
        server["smtp_authentication"] = "PASSWORD"
        server["username"] = settings["ALERT_SMTP_USER"]
        server["password"] = settings.get("ALERT_SMTP_PASSWORD", "")
    return server


def _import(api: ZabbixAPI, text: str, rules: Mapping[str, Any]) -> None:
    ask(api, "configuration.import", format="yaml", source=text, rules=rules)


def _make_host(api: ZabbixAPI, group: str, exporter: str) -> None:
    (template,) = ask(api, "template.get", filter={"host": TEMPLATE_NAME}, output=["templateid"])
    made(
        api, "host", "hostid",
        host=NAME,
        groups=[{"groupid": group}],
        templates=[{"templateid": template["templateid"]}],
        macros=[{"macro": "{$LAKE.EXPORTER}", "value": exporter}],
    )  # fmt: skip


def _keep_secret(api: ZabbixAPI, macro: str, value: str) -> None:
    """Set a macro whose value Zabbix shows to nobody."""
    found = ask(api, "usermacro.get", globalmacro=True, filter={"macro": macro})
    if found:
        number = found[0]["globalmacroid"]
        ask(api, "usermacro.updateglobal", globalmacroid=number, value=value)
    else:
        ask(api, "usermacro.createglobal", macro=macro, value=value, type=SECRET)


def _user(api: ZabbixAPI, group: str, addresses: Mapping[str, Any]) -> str:
    """The number of the user who gets the messages: one that cannot log in to the page."""
    rights = "rights" if api.version < 6.2 else "hostgroup_rights"
    members = made(
        api, "usergroup", "usrgrpid",
        name=NAME, gui_access=NO_PAGE, **{rights: [{"id": group, "permission": READ}]},
    )  # fmt: skip
    user = made(
        api, "user", "userid",
        username=NAME.lower(),
        passwd=secrets.token_urlsafe(32),
        roleid=USER_ROLE,
        usrgrps=[{"usrgrpid": members}],
    )  # fmt: skip
    _set_media(api, user, addresses)
    return user


def _set_media(api: ZabbixAPI, user: str, addresses: Mapping[str, Any]) -> None:
    """Give a user our media; media that somebody added stay."""
    ours = {
        found["mediatypeid"]: found["name"]
        for found in ask(api, "mediatype.get", filter={"name": [SLACK, MAIL]}, output=["name"])
    }
    (known,) = ask(api, "user.get", userids=[user], selectMedias="extend", output=["userid"])
    there = [
        {name: media[name] for name in ("mediatypeid", "sendto", *ALWAYS)}
        for media in known["medias"]
    ]
    wanted = [
        {"mediatypeid": number, "sendto": addresses[name], **ALWAYS}
        for number, name in ours.items()
        if name in addresses
    ]
    kept = [media for media in there if media["mediatypeid"] not in ours]
    if _keys(there) != _keys(kept + wanted):
        ask(api, "user.update", userid=user, medias=kept + wanted)


def _keys(media: list[dict[str, Any]]) -> list[str]:
    return sorted(f"{found['mediatypeid']} {found['sendto']}" for found in media)


def _make_action(api: ZabbixAPI, user: str) -> None:
    """Send a user a message at the start of each problem, daily while it lasts, and at its end."""
    by_tag, equals, message, all_who_were_told = 26, 0, 0, 11
    made(
        api, "action", "actionid",
        name=NAME,
        eventsource=0,
        esc_period="1d",
        filter={
            "evaltype": 0,
            "conditions": [
                {"conditiontype": by_tag, "operator": equals, "value2": "service",
                 "value": NAME.lower()},
            ],
        },
        operations=[
            {"operationtype": message, "esc_step_from": 1, "esc_step_to": 0,
             "opmessage": {"default_msg": 1}, "opmessage_usr": [{"userid": user}]},
        ],
        recovery_operations=[
            {"operationtype": all_who_were_told, "opmessage": {"default_msg": 1}},
        ],
    )  # fmt: skip
