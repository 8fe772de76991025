"""Figures of one run on one machine, as ratios to what could be at best. Not tests: nothing here passes or fails."""
