"""The five dashboards, told as tables of panels; `generate.py` beside this folder writes them as Grafana's JSON."""
