"""Shows the lake to Prometheus, Grafana and Zabbix. The pipeline does not depend on it."""
