#!/bin/sh
# Write .env from .env.example, with random secrets and the numbers of the owner of ./data; never over another.
set -eu
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo ".env is there already; it is left as it is."
  exit 0
fi

random() { LC_ALL=C tr -dc 'a-zA-Z0-9' </dev/urandom | head -c "$1"; }

# Whoever calls may be root, by sudo; no stat is the same everywhere.
owner=$(ls -nd data | awk '{print $3}')
group=$(ls -nd data | awk '{print $4}')

umask 077
sed -e "s|^MINIO_ACCESS_KEY=$|&$(random 20)|" \
    -e "s|^MINIO_SECRET_KEY=$|&$(random 40)|" \
    -e "s|^DEFAULT_OWNER_PASSWORD=$|&$(random 20)|" \
    -e "s|^JWT_SECRET=$|&$(random 40)|" \
    -e "s|^MINIO_READER_ACCESS_KEY=$|&$(random 20)|" \
    -e "s|^MINIO_READER_SECRET_KEY=$|&$(random 40)|" \
    -e "s|^GRAFANA_PASSWORD=$|&$(random 20)|" \
    -e "s|^ZABBIX_PASSWORD=$|&$(random 20)|" \
    -e "s|^ZABBIX_DB_PASSWORD=$|&$(random 40)|" \
    -e "s|^MAGE_UID=.*|MAGE_UID=$owner|" \
    -e "s|^MAGE_GID=.*|MAGE_GID=$group|" \
    .env.example >.env.new
mv .env.new .env
echo "Wrote .env: random keys for the store, and a password for Mage's page under DEFAULT_OWNER_PASSWORD."
