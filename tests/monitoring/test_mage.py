"""Mage itself tells of a trigger's run that failed for good, by the settings of .env."""

from datetime import datetime, timezone

import yaml
from jinja2 import Template

from data.medallion.host.envfile import PROJECT
from sandbox.breweries.api import LocalBreweryApi
from sandbox.faults import Faults
from tests.monitoring.servers import Messages
from tests.page.web import web
from tests.waiting import wait_for

METADATA = (PROJECT / "metadata.yaml").read_text(encoding="utf-8")


def rendered(**settings):
    """The project's file as Mage reads it."""
    return yaml.safe_load(Template(METADATA).render(env_var=settings.get))["notification_config"]


def test_what_is_set_is_taken_as_it_is_and_nothing_set_is_nobody_told():
    assert rendered().keys() == {"alert_on", "message_templates"}
    url, password, to = "http://127.0.0.1/x", "a'b\"c\\d: #e", "a@example.org, b@example.org"
    mail = {"ALERT_EMAIL_TO": to, "ALERT_SMTP_HOST": "mail", "ALERT_SMTP_PASSWORD": password}
    told = rendered(ALERT_SLACK_URL=url, **mail)
    assert told["slack_config"]["webhook_url"] == url
    assert told["email_config"]["smtp_password"] == password
    assert told["email_config"]["to_emails"] == [to]
    # Mage's page reads and writes the file before it is filled in.
    assert yaml.safe_load(METADATA)["notification_config"]["slack_config"]


def test_a_run_that_is_late_or_failed_for_good_is_told_of(tmp_path):
    """The first run is late at once: it was due at midnight."""
    titles = ["Failed to run Mage pipeline breweries", "Late: Mage pipeline breweries"]
    if datetime.now(timezone.utc).hour < 2:  # the `sla` of its trigger
        titles.pop()
    with (
        Messages() as messages,
        LocalBreweryApi([], faults=Faults(rate_limit=0)) as api,
        web(tmp_path, api, env="prod", **messages.settings),
    ):
        posts, mails = messages.posts["/slack"], messages.mails
        wait_for(lambda: sorted(post["blocks"][0]["text"]["text"] for post in posts) == titles)
        wait_for(lambda: sorted(mail["Subject"] for mail in mails) == titles)
    assert "Failed blocks: extract_breweries_data" in str(posts)
