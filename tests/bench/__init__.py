"""Speed and memory, measured. Ratios within one run are what to compare: machines differ."""
