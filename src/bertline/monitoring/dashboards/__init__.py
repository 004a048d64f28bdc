"""What is generated from the tables: dashboards, alerts, recording rules, index templates."""
