"""What Prometheus, Grafana and Zabbix see of the lake. The pipeline knows nothing of it."""
