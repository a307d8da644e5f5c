"""The lake in Zabbix: a template, the messages about problems, and the set-up of both."""
