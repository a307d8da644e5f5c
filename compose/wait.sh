#!/bin/sh
# Wait until the stack that `$1 up` started is ready, and say where it is and who may enter.
set -eu
cd "$(dirname "$0")/.."

said() { sed -n "s/^$1=//p" .env | tail -1 | tr -d "\r\"'"; }

printf 'Waiting for Mage '
for _ in $(seq 90); do
  if $1 exec -T mage python -m compose.health >/dev/null 2>&1; then
    echo
    echo "  Mage's page      http://127.0.0.1:$(said MAGE_PORT)   log in as $(said DEFAULT_OWNER_EMAIL), password in .env"
    echo "  MinIO's console  http://127.0.0.1:$(said MINIO_CONSOLE_PORT)   keys in .env"
    if [ "${2:-}" = monitoring ]; then
      echo "  Grafana          http://127.0.0.1:$(said GRAFANA_PORT)   log in as owner, GRAFANA_PASSWORD in .env"
      echo "  Prometheus       http://127.0.0.1:$(said PROMETHEUS_PORT)"
      echo "  Alertmanager     http://127.0.0.1:$(said ALERTMANAGER_PORT)"
    fi
    if [ "${2:-}" = zabbix ]; then
      status=$(docker wait "$($1 --profile zabbix ps -a -q zabbix-setup)")
      $1 --profile zabbix logs zabbix-setup
      [ "$status" = 0 ] || { echo "Zabbix is not set up: why stands above. make zabbix tries again." >&2; exit 1; }
      echo "  Zabbix           http://127.0.0.1:$(said ZABBIX_PORT)   log in as Admin, ZABBIX_PASSWORD in .env"
    fi
    echo "The first run starts by itself; make trigger starts another, make logs shows what happens."
    exit 0
  fi
  printf .
  sleep 2
done
echo
$1 logs --tail=20 mage
echo "Mage is not ready after three minutes: its last words are above." >&2
exit 1
