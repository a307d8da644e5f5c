#!/bin/sh
# Wait until the stack that `$1 up` started, with the profile $2, is ready; print its addresses and logins.
set -eu
cd "$(dirname "$0")/.."
compose=$1
profile=${2:-}

said() { sed -n "s/^$1=//p" .env | tail -1 | tr -d "\r\"'"; }

ready= services=
if [ "$profile" = monitoring ]; then
  ready="http://prometheus:9090/-/ready http://alertmanager:9093/-/ready http://grafana:3000/api/health"
  services="prometheus alertmanager grafana"
fi

printf 'Waiting for Mage %s ' "$services"
for _ in $(seq 90); do
  if found=$($compose exec -T mage python -m compose.health $ready 2>&1); then
    echo
    echo "  Mage's page      http://127.0.0.1:$(said MAGE_PORT)   log in as $(said DEFAULT_OWNER_EMAIL), password in .env"
    echo "  MinIO's console  http://127.0.0.1:$(said MINIO_CONSOLE_PORT)   keys in .env"
    if [ "$profile" = monitoring ]; then
      echo "  Grafana          http://127.0.0.1:$(said GRAFANA_PORT)   log in as owner, GRAFANA_PASSWORD in .env"
      echo "  Prometheus       http://127.0.0.1:$(said PROMETHEUS_PORT)"
      echo "  Alertmanager     http://127.0.0.1:$(said ALERTMANAGER_PORT)"
    fi
    if [ "$profile" = zabbix ]; then
      status=$(docker wait "$($compose --profile zabbix ps -a -q zabbix-setup)")
      $compose --profile zabbix logs zabbix-setup
      if [ "$status" != 0 ]; then
        $compose --profile zabbix stop zabbix-web  # Admin may still have the password that all know
        echo "Zabbix is not set up, so its page is stopped: why stands above. make zabbix tries again." >&2
        exit 1
      fi
      echo "  Zabbix           http://127.0.0.1:$(said ZABBIX_PORT)   log in as Admin, ZABBIX_PASSWORD in .env"
    fi
    echo "The first run starts by itself; make trigger starts another, make logs shows what happens."
    exit 0
  fi
  printf .
  sleep 2
done
echo
$compose ${profile:+--profile "$profile"} logs --tail=20 mage $services
echo "Not ready after three minutes: $found" >&2
exit 1
