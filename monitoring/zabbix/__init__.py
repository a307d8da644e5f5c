"""The lake in Zabbix: a template, ways to tell of its problems, and what sets both up."""
