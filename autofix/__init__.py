"""The product: from a window of metrics to a reviewed, verified fix. Free of Prefect, usable from a REPL."""
