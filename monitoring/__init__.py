"""A view of the lake for Prometheus, Grafana and Zabbix. The pipeline knows nothing of it."""
